#!/usr/bin/python3
"""Compares what translate, path, spte, huge and why say of the cases that the scenarios `splits` prepare with what these are."""

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import announced, faults, lab_dumps, product  # pylint: disable=wrong-import-position
from lab.checks import Checks, run_alone  # pylint: disable=wrong-import-position
from lab.oracle.kernel import Kernel  # pylint: disable=wrong-import-position
from lab.oracle.own_backend import OwnBackend  # pylint: disable=wrong-import-position

SCENARIOS = ("splits", "splits-shadow")
KERNELS = ("6.1", "6.12")
SMALL, LARGE = 4096, 2 << 20


@dataclass(frozen=True)
class Case:
    """Levels of the SPTEs that map the address, and what the owner's page tables have there (0 bytes: nothing)."""

    levels: list[int]
    host_state: str
    host_bytes: int = 0
    writable: bool = True


CASES = {
    "plain-huge": Case([2], "mapped", LARGE),
    "nx-split": Case([1], "mapped", LARGE),
    "misaligned": Case([1], "mapped", LARGE),
    "small-host": Case([1], "mapped", SMALL),
    "dirty-log": Case([1], "mapped", LARGE, writable=False),
    "host-absent": Case([], "absent"),
    "host-prot-none": Case([], "prot_none", SMALL),
    "host-swapped": Case([], "swapped"),
    "host-unmapped": Case([], "absent"),
    "host-forbidden": Case([], "absent"),
    "host-userfaultfd": Case([], "absent"),
    "untouched": Case([], "absent"),
    "dirty-log-clean": Case([1], "mapped", SMALL, writable=False),
    "dirty-log-dirty": Case([1], "mapped", SMALL),
    "dirty-log-initial": Case([2], "mapped", LARGE),
    "dirty-log-part-clean": Case([1], "mapped", LARGE, writable=False),
    "dirty-log-part-dirty": Case([1], "mapped", LARGE),
}
# The shadow MMU write-protects a large page as it is, and splits it at the next write.
SHADOW_CASES = CASES | {kind: Case([2], "mapped", LARGE, writable=False)
                        for kind in ("dirty-log", "dirty-log-part-clean", "dirty-log-part-dirty")}
STALE = "mmio-stale"
VERDICTS = {
    "plain-huge": "mapped", "nx-split": "mapped", "misaligned": "mapped", "small-host": "mapped",
    "dirty-log": "dirty_logging", "host-absent": "host_absent", "host-prot-none": "host_prot_none",
    "host-swapped": "host_swapped", "host-unmapped": "host_unmapped", "host-forbidden": "host_prot_none",
    "host-userfaultfd": "host_userfaultfd",
    "untouched": "host_absent", STALE: "mmio_stale", "dirty-log-clean": "dirty_logging", "dirty-log-dirty": "mapped",
    "dirty-log-initial": "mapped", "dirty-log-part-clean": "dirty_logging", "dirty-log-part-dirty": "mapped",
}
SHADOW_VERDICTS = VERDICTS | {"dirty-log-part-dirty": "dirty_logging"}
# Why `huge` says that no larger page maps the address.
LIMITS = {"plain-huge": "slot_edge", "nx-split": "nx_huge_page", "misaligned": "misaligned", "small-host": "host_page",
          "dirty-log-initial": "slot_edge"}
LIMITS |= {kind: "dirty_log" for kind in CASES if kind.startswith("dirty-log") and kind not in LIMITS}
SHADOW_LIMITS = LIMITS | {kind: "slot_edge" for kind, case in SHADOW_CASES.items() if case.levels == [2]}
FROZEN = {"6.1": 0x5A0, "6.12": 0x80000000000005A0}  # REMOVED_SPTE, FROZEN_SPTE (arch/x86/kvm/mmu/spte.h)
DEVICE = "0xd0000000"  # in no memslot, never touched


class CasesTest:
    """The checks on one dump."""

    def __init__(self, program: Path, scenario: str, series: str, checks: Checks):
        (self.dump,) = lab_dumps.get(scenario, series, "elf")
        self.program, self.scenario, self.series, self.checks = program, scenario, series, checks
        self.title = f"{scenario} {series} cases"
        numbers = announced.numbers_of_vms(self.dump.console)
        self.cases = [case | {"vm": str(numbers[case["vm"]])} for case in announced.facts(self.dump.console, "case")]

    def run(self) -> None:
        known = SHADOW_CASES if self.scenario == "splits-shadow" else CASES
        kinds = {case["kind"] for case in self.cases}
        self.checks.check(self.title, sorted(kinds ^ {*known, STALE}), f"{len(kinds)} kinds are announced")
        asked = [case for case in self.cases if case["kind"] != STALE]
        found, problems = self.records([f"translate {case['vm']} {case['gpa']}" for case in asked])
        for case, records in zip(asked, found):
            problems += [f"{case['kind']} at {case['gpa']}: {problem}"
                         for problem in self.differences(known[case["kind"]], records)]
        self.checks.check(self.title, problems, f"translate of {len(asked)} addresses")
        for case in self.cases:
            if case["kind"] == STALE:
                self.stale(case["gpa"])
        for vm in sorted({case["vm"] for case in self.cases}):
            self.sizes(vm)
        self.reasons()

    def records(self, lines: list[str]) -> tuple[list[list[dict]], list[str]]:
        return product.line_records(self.program, self.dump.path, self.dump.debug, lines)

    def differences(self, case: Case, records: list[dict]) -> list[str]:
        if len(records) != 1:
            return [f"{len(records)} records, not one"]
        (record,) = records
        found = ([spte["level"] for spte in record["sptes"]], record["host_state"], record["host_page_bytes"])
        if found != (case.levels, case.host_state, case.host_bytes):
            return [f"it is {found}, not {(case.levels, case.host_state, case.host_bytes)}"]
        answers, problems = self.records([f"spte {spte['spte_address']}" for spte in record["sptes"]])
        return problems + [f"writable is {spte['writable']}" for (spte,) in answers
                           if spte["writable"] != case.writable]

    def sizes(self, vm: str) -> None:
        """Each case lies in one range, which has the sizes of the case; neighbouring ranges differ."""
        known = SHADOW_CASES if self.scenario == "splits-shadow" else CASES
        limits = SHADOW_LIMITS if self.scenario == "splits-shadow" else LIMITS
        (ranges,), problems = self.records([f"huge {vm}"])
        for case in self.cases:
            if case["kind"] == STALE or case["vm"] != vm:
                continue
            gfn, expected = int(case["gpa"], 16) // SMALL, known[case["kind"]]
            found = [(one["kvm_bytes"], one["host_bytes"], one["limit"]) for one in ranges
                     if int(one["first_gfn"], 16) <= gfn < int(one["end_gfn"], 16)]
            size = {1: SMALL, 2: LARGE}[expected.levels[0]] if expected.levels else 0
            # A page that is there, but must not be touched, is none of the owner's.
            host = expected.host_bytes if expected.host_state == "mapped" else 0
            if found != [(size, host, limits.get(case["kind"]))]:
                problems.append(f"{case['kind']} at {case['gpa']}: {found}")
        for one, other in zip(ranges, ranges[1:]):
            if one["end_gfn"] == other["first_gfn"] and all(
                    one[key] == other[key] for key in ("slot", "kvm_bytes", "host_bytes", "limit")):
                problems.append(f"two ranges are one, at {other['first_gfn']}")
        self.checks.check(self.title, problems, f"huge {vm}, {len(ranges)} ranges")

    def reasons(self) -> None:
        verdicts = SHADOW_VERDICTS if self.scenario == "splits-shadow" else VERDICTS
        expected = [(case["vm"], case["gpa"], verdicts[case["kind"]]) for case in self.cases]
        expected.append(("0", DEVICE, "no_memslot"))
        answers, problems = self.records([f"why {vm} 0 {gpa}" for vm, gpa, _ in expected])
        for (vm, gpa, verdict), records in zip(expected, answers):
            problems += [f"{gpa} of {vm}: {record['verdict']} ({record['because']}), not {verdict}"
                         for record in records if record["verdict"] != verdict]
        self.checks.check(self.title, problems, f"why of {len(expected)} addresses")
        if self.scenario == "splits":
            self.frozen(next(case["gpa"] for case in self.cases if case["kind"] == "plain-huge"))

    def frozen(self, gpa: str) -> None:
        """The entry that maps the page is replaced by the value that stands for one on its way out."""
        ((record,),), problems = self.records([f"translate 0 {gpa}"])
        kernel = Kernel(OwnBackend(self.dump.path, self.dump.debug))
        address = int(record["sptes"][0]["spte_address"], 16)
        with tempfile.NamedTemporaryFile("w", suffix=".overlay") as file:
            file.write(faults.overlay_text(kernel, [(address, FROZEN[self.series].to_bytes(8, "little"))]))
            file.flush()
            answer = product.run(self.program, ["-c", self.dump.path, "-s", self.dump.debug, "--overlay", file.name,
                                                "-f", "json", "why", "0", "0", gpa])
        found = [one["verdict"] for one in json.loads(answer.output or "[]")]
        if answer.status != 0 or found != ["frozen"]:
            problems.append(f"{answer.how_it_ended()}, {found}: {answer.errors}")
        self.checks.check(self.title, problems, "why of a frozen entry")

    def stale(self, gpa: str) -> None:
        """The device's address has the same number for the guest as virtual address, so that a path leads there."""
        (steps,), problems = self.records([f"path 0.0 {gpa}"])
        if not problems and steps[-1]["kind"] == "mmio":
            ((spte,),), problems = self.records([f"spte {steps[-1]['spte_address']}"])
            if spte["mmio_stale"] is not True or spte["gfn"] != hex(int(gpa, 16) // SMALL):
                problems.append(f"mmio_stale is {spte['mmio_stale']}, gfn {spte['gfn']}")
        else:
            problems.append("its path does not end in MMIO")
        self.checks.check(self.title, problems, "the MMIO entry is stale")


def run_all(program: Path, checks: Checks) -> None:
    for scenario in SCENARIOS:
        for series in KERNELS:
            CasesTest(program, scenario, series, checks).run()


if __name__ == "__main__":
    sys.exit(run_alone(run_all, __doc__))
