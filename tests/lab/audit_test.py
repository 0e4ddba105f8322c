#!/usr/bin/python3
"""Checks that `audit` is silent on sound dumps; that each fault of audit_faults.py and audit_vm_faults.py is found by its
rule, and by no other that the rule's row does not list; then that no fault of faults.py keeps it from ending."""

import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import faults, lab_dumps, product  # pylint: disable=wrong-import-position
from lab import audit_faults, audit_vm_faults  # pylint: disable=wrong-import-position,unused-import
from lab.audit_places import FAULTS, Fault  # pylint: disable=wrong-import-position
from lab.checks import Checks, run_alone  # pylint: disable=wrong-import-position
from lab.lab_dumps import LabDump  # pylint: disable=wrong-import-position
from lab.oracle.kernel import Kernel  # pylint: disable=wrong-import-position
from lab.oracle.machines import vm_addresses  # pylint: disable=wrong-import-position
from lab.oracle.own_backend import OwnBackend  # pylint: disable=wrong-import-position
from lab.scenarios import SCENARIOS  # pylint: disable=wrong-import-position

KERNELS = ("6.1", "6.12")
# Every scenario with guests.
SOUND = [scenario for scenario in SCENARIOS if scenario.guests and not scenario.name.startswith("big")]
BIG = ("big-shadow", "big-tdp")
SECONDS = 20
ENDINGS = (0, 1, 4, 5)  # whatever was planted


def audit(program: Path, dump: LabDump, *options) -> tuple[int | None, list[dict], list[str]]:
    """Its status, its records and its messages."""
    answer = product.run(program, ["-c", dump.path, "-s", dump.debug, *options, "-f", "json", "audit"], SECONDS)
    try:
        return answer.status, json.loads(answer.output or "[]"), answer.errors.splitlines()
    except json.JSONDecodeError as error:
        return answer.status, [], [f"its output is no JSON: {error}"]


def rows(program: Path, dump: LabDump) -> tuple[dict[str, dict], list[str]]:
    found, problems = product.records(program, dump.path, dump.debug, "audit --list")
    return {row["rule"]: row for row in found}, problems


def is_sound(program: Path, dump: LabDump) -> list[str]:
    """What is wrong with the answer: only bits that KVM has not cleared yet may be found."""
    status, found, messages = audit(program, dump)
    problems = [f"status {status}"] if status != 0 else []
    return problems + messages + [f"{one['rule']}: {one['text']}" for one in found if one["rule"] != "unsync-stale"]


class PlantedFaults:
    """The table's faults of one scenario on one kernel."""

    def __init__(self, program: Path, scenario: str, series: str, folder: Path):
        self.program, self.folder = program, folder
        (self.dump,) = lab_dumps.get(scenario, series, "elf")
        self.kernel = Kernel(OwnBackend(self.dump.path, self.dump.debug))
        self.rows, self.problems = rows(program, self.dump)
        _, found, _ = audit(program, self.dump)
        self.sound = {(one["vm"], one["rule"], one["text"]) for one in found}

    def planted(self, text: str) -> tuple[int | None, list[dict], list[str]]:
        file = self.folder / "overlay"
        file.write_text(text)
        return audit(self.program, self.dump, "--overlay", file)

    def check(self, fault: Fault) -> list[str]:
        row = self.rows[fault.rule]
        status, found, messages = self.planted(fault.overlay(self.kernel))
        new = [one for one in found if (one["vm"], one["rule"], one["text"]) not in self.sound]
        problems = [f"status {status}: {messages}"] if status != (1 if row["severity"] == "error" else 0) else []
        if not any(one["rule"] == fault.rule and one["cause"] is None for one in new):
            problems.append("the rule does not find it, or not as the root of a group")
        for one in new:
            if one["rule"] != fault.rule and one["rule"] not in row["breaks"]:
                problems.append(f"also found: {one['rule']}: {one['text']}")
            elif one["rule"] != fault.rule and one["cause"] != fault.rule:
                problems.append(f"not told as its consequence: {one['rule']} ({one['cause']}): {one['text']}")
        return problems

    def is_unsure(self) -> list[str]:
        """While mmu_lock is held for writing a fault may be half of a change."""
        fault = next(fault for fault in FAULTS if fault.name == "used-pages")
        lock = self.kernel.at(vm_addresses(self.kernel)[0], "kvm.mmu_lock")
        held = faults.overlay_text(self.kernel, [(lock, b"\xff")])
        status, found, messages = self.planted(fault.overlay(self.kernel) + held)
        unsure = [one["unstable"] for one in found if one["vm"] == 0]
        right = status == 0 and unsure and all(unsure) and any("mmu_lock is held" in message for message in messages)
        return [] if right else [f"status {status}, unstable {unsure}", *messages]

    def ends(self, name: str) -> list[str]:
        status, _, messages = self.planted(faults.overlay(self.kernel, name))
        return [] if status in ENDINGS else [f"status {status}", *messages]


def run_planted(program: Path, series: str, checks: Checks, only: str = "") -> None:
    with tempfile.TemporaryDirectory(prefix="kvmscope-audit-") as folder:
        scenarios = {name: PlantedFaults(program, name, series, Path(folder)) for name in {f.scenario for f in FAULTS}}
        for fault in FAULTS:
            if only in fault.name or only == fault.rule:
                checks.check(f"audit {fault.scenario} {series}: {fault.name}", scenarios[fault.scenario].check(fault), fault.rule)
        if only:
            return
        shadow = scenarios["shadow"]
        without = sorted(set(shadow.rows) - {fault.rule for fault in FAULTS})
        checks.check(f"audit {series}: a fault for each rule", shadow.problems + without, f"{len(shadow.rows)} rules")
        checks.check(f"audit {series}: mmu_lock is held", shadow.is_unsure())
        for name in faults.FAULTS:
            if not name.startswith("btf-") and not name.startswith("vm-list"):
                checks.check(f"audit shadow {series} ends: {name}", shadow.ends(name))


def run(program: Path, checks: Checks) -> None:
    for scenario in SOUND:
        for series in scenario.series:
            (dump,) = lab_dumps.get(scenario.name, series, "elf")
            checks.check(f"audit {scenario.name} {series} is silent", is_sound(program, dump))
    for series in KERNELS:
        run_planted(program, series, checks)


def run_big(program: Path, checks: Checks) -> None:
    for scenario in BIG:
        (dump,) = lab_dumps.get(scenario, "6.1", "elf")
        checks.check(f"audit {scenario} is silent", is_sound(program, dump))


def run_all(program: Path, checks: Checks) -> None:
    run(program, checks)
    run_big(program, checks)


if __name__ == "__main__":
    sys.exit(run_alone(run_all, __doc__))
