"""Compares what kvmscope would probe with a second opinion on the same debug files: perf probe."""

import re
import shutil
import subprocess

from lab import product

# Field of a walk's probe, and the expression that it stands for. perf knows no bit fields.
WALK_FIELDS = {"nr": "pages.nr", "s0": "pages.page[0].sp", "x0": "pages.page[0].idx", "g2": "pages.page[2].sp->gfn",
               "s15": "pages.page[15].sp", "x15": "pages.page[15].idx"}
STEP_FIELDS = {"s0": "parents.parent[0]", "x0": "parents.idx[0]", "g1": "parents.parent[1]->gfn", "s4": "parents.parent[4]"}
OWNERS = {"zap": {"kvm": "kvm"}, "sync": {"kvm": "vcpu->kvm", "vcpu": "vcpu->vcpu_id"}}

# Functions that are out of line in every kernel of the lab, and values at their entry.
FUNCTIONS = {
    "kvm_mmu_load": ("vcpu", "vcpu->vcpu_id", "vcpu->kvm->mm", "vcpu->arch.mmu->root.hpa"),
    "kvm_mmu_new_pgd": ("vcpu->vcpu_id", "new_pgd", "vcpu->arch.mmu"),
    "mmu_zap_unsync_children": ("kvm", "parent->gfn", "parent->unsync_children"),
    "kvm_mmu_page_fault": ("cr2_or_gpa", "error_code", "vcpu->arch.cr3"),
}
DEFINITION = re.compile(r"(\S+:\S+) (\S+?)((?: \S+=\S+)*)$")


def run(program, series, debug, checks):
    """Without perf there is no second opinion: that is said, not passed over."""
    perf = shutil.which("perf")
    if perf is None:
        checks.check(f"probes {series}", ["perf is not installed: scripts/packages test"])
        return
    (module,) = debug.rglob("kvm.ko")
    problems, compared = unsync_problems(program, perf, module)
    checks.check(f"probes {series}", problems, f"trace unsync, {compared} values as perf has them")
    problems, compared = function_problems(program, perf, module)
    checks.check(f"probes {series}", problems, f"trace at, {compared} values as perf has them")


def unsync_problems(program, perf, module):
    probes, problems = dry_run(program, module, ["unsync"])
    if len(probes) < 4:
        problems.append(f"{len(probes)} probes, fewer than 4")
    compared = 0
    for event, (place, args) in probes.items():
        walker, kind = event.rsplit("/", 1)[1].split("_")
        expressions = {**WALK_FIELDS, **OWNERS[walker]} if kind.startswith("walk") else STEP_FIELDS
        for field, expression in expressions.items():
            problems += unlike(perf, module, place, expression, args.get(field))
            compared += 1
    return problems, compared


def function_problems(program, perf, module):
    problems, compared = [], 0
    for function, expressions in FUNCTIONS.items():
        probes, wrong = dry_run(program, module, ["at", function, *expressions])
        problems += wrong
        for place, args in probes.values():
            for expression, fetched in zip(expressions, args.values(), strict=True):
                problems += unlike(perf, module, place, expression, fetched)
                compared += 1
    return problems, compared


def dry_run(program, module, words):
    """By event: its place and the fetch argument of each field."""
    answer = product.run(program, ["-s", module, "trace", *words, "--dry-run"])
    if answer.status != 0:
        return {}, [f"trace {' '.join(words)}: {answer.how_it_ended()}: {answer.errors}"]
    return {event: (place, args) for event, place, args in map(parsed, answer.output.splitlines())}, []


def parsed(line):
    event, place, args = DEFINITION.match(line).groups()
    return event, place, dict(arg.split("=", 1) for arg in args.split())


def unlike(perf, module, place, expression, fetched):
    """Nothing, or how perf's fetch argument differs."""
    where = place.removeprefix("kvm:")
    answer = subprocess.run([perf, "probe", "-q", "-m", module, "-D", f"{where} {expression}"],
                            capture_output=True, text=True, check=False)
    if answer.returncode != 0 or not answer.stdout.strip():
        return [f"perf has no {expression} at {where}: {answer.stderr.strip()}"]
    _, its_place, its_args = parsed(answer.stdout.splitlines()[0].strip())
    (its_fetch,) = its_args.values()
    if address(its_place) != address(place) or plain(its_fetch) != plain(fetched or ""):
        return [f"{expression} at {place}: {fetched}, perf has {its_fetch} at {its_place}"]
    return []


def address(place):
    symbol, _, offset = place.partition("+")
    return symbol, int(offset or "0", 0)


def plain(fetched):
    """Without the letter of the type, where perf has none for some: unsigned numbers are x to it."""
    where, _, kind = fetched.partition(":")
    return where, kind[1:]
