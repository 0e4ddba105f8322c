#!/usr/bin/python3
"""Compares what kvmscope says with nothing but the kernel's own BTF with what it says with debug files."""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import lab_dumps, product  # pylint: disable=wrong-import-position
from lab.checks import Checks, run_alone  # pylint: disable=wrong-import-position

SCENARIOS = ("shadow", "tdp", "la57")
KERNELS = ("6.1", "6.12")
COMMANDS = ("vms", "vcpus", "roots", "pages", "pages --tdp", "slots", "levels", "unsync", "tree 0.0",
            "snapshot --depth pages", "counts", "rmap 0", "parents 0.0", "stats")
# Types are all there; what is at an address by name is not.
WITH_TYPES = ("type struct kvm_mmu_page", "print ((struct kvm *)0)->mm")
SECONDS = 120


def answer(program: Path, dump: Path, debug: object, command: str) -> product.Answer:
    return product.run(program, ["-c", dump, "-s", debug, "--no-cache", "-f", "json", *command.split()], SECONDS)


def compare(program: Path, scenario: str, series: str, none: str, checks: Checks) -> None:
    (dump,) = lab_dumps.get(scenario, series, "elf")
    for command in COMMANDS:
        expected = answer(program, dump.path, dump.debug, command)
        found = answer(program, dump.path, none, command)
        problems = [] if expected.status == 0 and len(expected.output) > 2 else [f"debug files: {expected.errors}"]
        if timeless(found) != timeless(expected):
            problems.append(f"BTF: {found.how_it_ended()}, {len(found.output)} bytes of output, not "
                            f"{len(expected.output)}: {found.errors[:300]}")
        if command == "unsync" and scenario == "tdp":
            problems = [problem for problem in problems if not problem.startswith("debug files")]
        checks.check(f"{scenario} {series} from BTF", problems, f"{command}, {len(expected.output)} bytes")


def timeless(found: product.Answer) -> tuple:
    """Without the line that says when a snapshot was taken."""
    lines = [line for line in found.output.splitlines() if '"time":' not in line or len(line) > 200]
    return found.status, lines, found.errors


def says_so(program: Path, series: str, none: str, checks: Checks) -> None:
    (dump,) = lab_dumps.get("shadow", series, "elf")
    info = answer(program, dump.path, none, "info")
    checks.check(f"info {series} names BTF", [] if info.status == 0 and "BTF" in info.output else [info.output])
    for command in WITH_TYPES:
        found = answer(program, dump.path, none, command)
        checks.check(f"{series} from BTF", [] if found.status in (0, 4) else [found.errors], command)


def run_all(program: Path, checks: Checks) -> None:
    with tempfile.TemporaryDirectory(prefix="kvmscope-none-") as none:
        for series in KERNELS:
            says_so(program, series, none, checks)
            for scenario in SCENARIOS:
                compare(program, scenario, series, none, checks)


if __name__ == "__main__":
    sys.exit(run_alone(run_all, __doc__))
