"""kvmscope must not read a live kernel's memory more often than promised."""

import counts


def run(bench):
    bench.machine.load_kvm("npt=0")
    roots, per_page, pages = counts.roots_and_pages(bench.machine)
    check(bench, counts.ROOTS, roots)
    check(bench, counts.PAGES, per_page, f" of {pages} pages")


def check(bench, limit, figure, remark=""):
    bench.check("counts", [] if 0 < figure <= limit.most else [f"{figure:.2f}, not at most {limit.most}"],
                f"{limit.what}: {figure:.2f}{remark}")
