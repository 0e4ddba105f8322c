"""kvmscope must not cost a live kernel more than promised."""

import counts


def run(bench):
    bench.machine.load_kvm("npt=0")
    for limit, figure, remark in counts.figures(bench.machine):
        problems = [] if 0 < figure <= limit.most else [f"{figure:.2f}, not at most {limit.most}"]
        bench.check("costs", problems, f"{limit.what}: {figure:.2f} ({remark})")
