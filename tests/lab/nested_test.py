#!/usr/bin/python3
"""Compares what kvmscope says of a vCPU that rests inside its own guest with what the guest runner made."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import announced, lab_dumps, mmu_test, product  # pylint: disable=wrong-import-position
from lab.checks import Checks, run_alone  # pylint: disable=wrong-import-position

KERNELS = ("6.1", "6.12")
PAGE = 4096
ODD = 0x123


class NestedTest:
    """The checks on one dump."""

    def __init__(self, program: Path, series: str, checks: Checks):
        (self.dump,) = lab_dumps.get("nested", series, "elf")
        self.program, self.checks, self.title = program, checks, f"nested {series}"
        pairs = [(int(pair["l2gpa"], 16), int(pair["gpa"], 16)) for pair in announced.facts(self.dump.console, "l2")]
        self.pairs = dict(pairs)

    def run(self) -> None:
        self.roots()
        hpas = self.host_addresses()
        self.tree(hpas)
        self.paths(hpas)
        self.quantities()
        mmu_test.run(self.program, self.dump.path, self.dump.debug, self.checks)

    def records(self, lines: list[str]) -> tuple[list[list[dict]], list[str]]:
        found, problems = product.line_records(self.program, self.dump.path, self.dump.debug, lines)
        return (found, problems) if not problems else ([[] for _ in lines], problems)

    def check(self, problems: list[str], remark: str) -> None:
        self.checks.check(self.title, problems, remark)

    def roots(self) -> None:
        """The one that the inner guest runs on is an indirect page of guest_mmu; that of the outer one is kept."""
        (roots, vcpus, pages), problems = self.records(["roots", "vcpus", "pages --tdp"])
        valid = {root["name"]: root["mmu"] for root in roots if root["valid"]}
        if valid != {"0.0": "guest_mmu", "0.0.root_mmu": "root_mmu"}:
            problems.append(f"valid roots are {valid}")
        problems += [f"vCPU {vcpu['vcpu']} runs on {vcpu['mmu']}" for vcpu in vcpus if vcpu["mmu"] != "guest_mmu"]
        kinds = {page["sp"]: (page["guest_mode"], page["direct"], page["tdp_mmu"]) for page in pages}
        wanted = {"0.0": (True, False, False), "0.0.root_mmu": (False, True, True)}
        problems += [f"{root['name']} is (guest_mode, direct, tdp_mmu) {kinds.get(root['sp'])}"
                     for root in roots if root["valid"] and kinds.get(root["sp"]) != wanted.get(root["name"])]
        self.check(problems, f"{len(valid)} valid roots")

    def host_addresses(self) -> dict[int, int]:
        """By the inner guest's addresses: where the outer guest's page for them is in the host."""
        answers, problems = self.records([f"translate 0 {gpa:#x}" for gpa in self.pairs.values()])
        problems += [f"gpa {gpa:#x} is not in the host" for gpa, records in zip(self.pairs.values(), answers)
                     if not records or records[0]["hpa"] is None]
        problems += ["no pair is announced"] * (not self.pairs)
        self.check(problems, f"translate of {len(self.pairs)} announced addresses")
        return {} if problems else {l2_gpa: int(records[0]["hpa"], 16) for l2_gpa, records in zip(self.pairs, answers)}

    def tree(self, hpas: dict[int, int]) -> None:
        (entries,), problems = self.records(["tree 0.0"])
        leaves = {(int(entry["address"], 16), int(entry["gfn"], 16) * PAGE, int(entry["pfn"], 16) * PAGE)
                  for entry in entries if entry["kind"] == "leaf"}
        expected = {(l2_gpa, gpa, hpas.get(l2_gpa)) for l2_gpa, gpa in self.pairs.items()}
        problems += [f"not both announced and a leaf: {pair}" for pair in sorted(leaves ^ expected, key=str)]
        problems += [f"addresses are {entry['domain']}" for entry in entries if entry["domain"] != "l2-gpa"]
        self.check(problems, f"the tree of guest_mmu has {len(leaves)} leaves, those that are announced")

    def paths(self, hpas: dict[int, int]) -> None:
        paths, problems = self.records([f"path 0.0 {l2_gpa + ODD:#x}" for l2_gpa in self.pairs])
        ends = [int(steps[-1]["hpa"] or "0", 16) if steps else None for steps in paths]
        problems += [f"path 0.0 {l2_gpa + ODD:#x} ends at {end}" for l2_gpa, end in zip(self.pairs, ends)
                     if end is None or end != hpas.get(l2_gpa, 0) + ODD]
        self.check(problems, f"{len(paths)} paths")

    def quantities(self) -> None:
        """The inner guest has written to none of its tables, so nothing is unsync."""
        (levels, unsync), problems = self.records(["levels 0.0", "unsync"])
        leaves = sum(record["leaves"] for record in levels)
        problems += [f"levels counts {leaves} leaves"] * (leaves != len(self.pairs))
        problems += [f"unsync has {len(unsync)} batches"] * bool(unsync)
        self.check(problems, "levels and unsync")


def run_all(program: Path, checks: Checks) -> None:
    for series in KERNELS:
        NestedTest(program, series, checks).run()


if __name__ == "__main__":
    sys.exit(run_alone(run_all, __doc__))
