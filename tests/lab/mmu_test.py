#!/usr/bin/python3
"""Compares counts, stats, spte, rmap and parents with the oracle, and rmaps with trees in both directions."""

import argparse
import subprocess
import sys
from collections import Counter
from functools import cached_property
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import lab_dumps, product  # pylint: disable=wrong-import-position
from lab.checks import Checks  # pylint: disable=wrong-import-position
from lab.oracle.commands import open_kernel  # pylint: disable=wrong-import-position
from lab.oracle.counts import count_records, stat_records  # pylint: disable=wrong-import-position
from lab.oracle.kernel import Kernel  # pylint: disable=wrong-import-position
from lab.oracle.machines import vm_addresses  # pylint: disable=wrong-import-position
from lab.oracle.rmaps import ancestors, expected_rmaps, parent_entries  # pylint: disable=wrong-import-position
from lab.oracle.sptes import spte_lines  # pylint: disable=wrong-import-position
from lab.oracle.translate import translate_records  # pylint: disable=wrong-import-position

OTHERS = ("modes-shadow", "modes-tdp", "splits", "splits-shadow")
BIG = ("big-shadow", "big-tdp")
KERNELS = ("6.1", "6.12")

SAMPLED_FRAMES = 40
NOWHERE = 0xFFFFFFFF  # a frame that no memslot of the lab has
UNMAPPED = [0x3F0, 0x7FFF, NOWHERE]  # frames that no SPTE maps, or none in all VMs
PAGE = 4096


def differences(expected: list[dict], found: list[dict]) -> list[str]:
    """Of the fields that are expected, record by record."""
    problems = [f"{len(found)} records, not {len(expected)}"] if len(found) != len(expected) else []
    for wanted, given in zip(expected, found):
        label = " ".join(f"{key} {wanted[key]}" for key in ("vm", "vcpu", "name", "spte_address") if key in wanted)
        problems += [f"{label}: {key} is {given.get(key)!r}, not {value!r}" for key, value in wanted.items()
                     if given.get(key) != value or isinstance(given.get(key), bool) != isinstance(value, bool)]
        problems += [f"{label} has notes: {given['notes']}" for _ in given.get("notes", [])[:1]]
    return problems


def by_address(records: list[dict]) -> list[dict]:
    return sorted(records, key=lambda record: (record["spte_address"], record["source"]))


class MmuTest:
    """The checks on one dump."""

    def __init__(self, program: Path, dump: Path, debug: Path, checks: Checks):
        self.program, self.dump, self.debug, self.checks = program, dump, debug, checks
        self.title = f"{dump.parent.name}/{dump.name}"
        self.rmaps: dict[int, list[dict]] = {}

    @cached_property
    def kernel(self) -> Kernel:
        return open_kernel("own", self.dump, self.debug)

    def run(self) -> None:
        self.command("counts", count_records(self.kernel))
        self.command("stats", stat_records(self.kernel))
        self.sptes()
        for vm in range(len(vm_addresses(self.kernel))):
            self.rmaps_of(vm)
            self.page_sizes(vm)
        self.rmaps_and_trees()
        self.single_frames()
        self.parents()
        self.pictures()
        self.translations()

    def run_agreement(self) -> None:
        """Rmaps against trees alone, which needs no oracle."""
        for vm in self.records("vms")[0]:
            self.rmaps[vm["vm"]], problems = self.records(f"rmap {vm['vm']}")
            self.check(problems, f"rmap {vm['vm']}, {len(self.rmaps[vm['vm']])} SPTEs")
        self.rmaps_and_trees()

    def check(self, problems: list[str], remark: str) -> None:
        self.checks.check(f"{self.title} mmu", problems, remark)

    def records(self, line: str) -> tuple[list[dict], list[str]]:
        return product.records(self.program, self.dump, self.debug, line)

    def lines(self, lines: list[str]) -> tuple[list[list[dict]], list[str]]:
        found, problems = product.line_records(self.program, self.dump, self.debug, lines)
        return (found, problems) if not problems else ([[] for _ in lines], problems)

    def command(self, line: str, expected: list[dict]) -> None:
        found, problems = self.records(line)
        self.check(problems or differences(expected, found), f"{line}, {len(expected)} records")

    def sptes(self) -> None:
        """MMIO entries tell by their frame what the guest has touched, so there has to be one."""
        expected = spte_lines(self.kernel)
        answers, problems = self.lines(list(expected))
        found = [records[0] if records else {} for records in answers]
        problems = problems or differences(list(expected.values()), found)
        kinds = Counter(record["kind"] for record in expected.values())
        if not kinds["mmio"] or not kinds["leaf"] or not kinds["table"]:
            problems = problems + [f"not every kind is there: {dict(kinds)}"]
        self.check(problems, f"spte of {len(expected)} entries: {', '.join(f'{n} {kind}' for kind, n in kinds.items())}")

    def rmaps_of(self, vm: int) -> None:
        expected = by_address(expected_rmaps(self.kernel, vm))
        found, problems = self.records(f"rmap {vm}")
        self.rmaps[vm] = found
        self.check(problems or differences(expected, by_address(found)), f"rmap {vm}, {len(expected)} SPTEs")

    def page_sizes(self, vm: int) -> None:
        """`huge` gives each frame the size of the largest SPTE that maps it, and no other frame any. Beside trees of the
        TDP MMU, rmaps have a nested guest's SPTEs only."""
        largest: dict[tuple[int, int], int] = {}
        from_trees = any(record["source"] == "tdp_mmu" for record in self.rmaps[vm])
        for record in self.rmaps[vm]:
            if from_trees and record["source"] != "tdp_mmu":
                continue
            first, pages = int(record["gfn"], 16), 512 ** (record["level"] - 1)
            for gfn in range(first, first + pages):
                largest[record["as_id"], gfn] = max(largest.get((record["as_id"], gfn), 0), PAGE * pages)
        ranges, problems = self.records(f"huge {vm}")
        found = {(one["as_id"], gfn): one["kvm_bytes"] for one in ranges if one["kvm_bytes"]
                 for gfn in range(int(one["first_gfn"], 16), int(one["end_gfn"], 16))}
        problems = problems + [f"gfn {place[1]:#x}: {found.get(place)}, not {largest.get(place)}"
                               for place in sorted(set(largest) | set(found)) if largest.get(place) != found.get(place)]
        self.check(problems, f"huge {vm}, {len(found)} mapped frames in {len(ranges)} ranges")

    def rmaps_and_trees(self) -> None:
        """Every leaf in the table of an active page or below a root of the TDP MMU is in the rmap of its frame (or what
        stands in for it), and every SPTE there is such a leaf: by the product's own words alone."""
        pages, problems = self.records("pages --tdp")
        answers, more = self.lines([f"tree {page['sp']} --depth 0" for page in pages])
        leaves = {(page["vm"], entry["gfn"], entry["level"], entry["spte_address"], entry["spte"], page["sp"])
                  for page, entries in zip(pages, answers) for entry in entries if entry["kind"] == "leaf"}
        listed = {(record["vm"], record["gfn"], record["level"], record["spte_address"], record["spte"], record["sp"])
                  for records in self.rmaps.values() for record in records}
        problems = problems + more + [f"in a tree but no rmap: {leaf}" for leaf in sorted(leaves - listed)] + \
            [f"in an rmap but no tree: {leaf}" for leaf in sorted(listed - leaves)]
        if not leaves:
            problems.append("there is no leaf at all")
        self.check(problems, f"rmaps and trees agree in {len(leaves)} SPTEs of {len(pages)} pages")

    def single_frames(self) -> None:
        """`rmap VM GFN` tells of a frame what `rmap VM` tells of it, and of a frame without a memslot nothing."""
        asked = []
        for vm, records in self.rmaps.items():
            small = sorted({record["gfn"] for record in records if record["level"] == 1}, key=lambda gfn: int(gfn, 16))
            step = max(1, len(small) // SAMPLED_FRAMES)
            asked += [(vm, int(gfn, 16)) for gfn in small[::step]] + [(vm, NOWHERE)]
        answers, problems = self.lines([f"rmap {vm} {gfn:#x}" for vm, gfn in asked])
        for (vm, gfn), found in zip(asked, answers):
            expected = [record for record in self.rmaps[vm]
                        if int(record["gfn"], 16) <= gfn < int(record["gfn"], 16) + 512 ** (record["level"] - 1)]
            if by_address(expected) != by_address(found):
                problems = problems + [f"rmap {vm} {gfn:#x} has {len(found)} records, not {len(expected)}, or others"]
        self.check(problems, f"rmap of {len(asked)} single frames")

    def parents(self) -> None:
        pages, problems = self.records("pages --tdp")
        parents = parent_entries(self.kernel)
        answers, more = self.lines([f"parents {page['sp']}" for page in pages])
        problems = problems + more
        for page, found in zip(pages, answers):
            expected = {hex(spte) for spte in ancestors(self.kernel, parents, int(page["sp"], 16))}
            given = {record["spte_address"] for record in found} - {None}
            direct = {record["spte_address"] for record in found if record["depth"] == 1}
            if given != expected or direct != {hex(spte) for spte in parents.get(int(page["sp"], 16), set())}:
                problems.append(f"parents {page['sp']}: {len(given)} entries, not {len(expected)}, or others")
            problems += [f"parents {page['sp']} does not start with it"] if found and found[0]["sp"] != page["sp"] else []
        self.check(problems, f"parents of {len(pages)} pages")

    def pictures(self) -> None:
        """Graphviz draws a node for each shadow page above the one that has the most parents, and one for each entry of a tree."""
        pages, problems = self.records("pages --tdp")
        page = max(pages, key=lambda page: page["parents"] or 0)["sp"]
        root = next(root["name"] for root in self.records("roots")[0] if root["valid"])
        above, below = (self.records(line)[0] for line in (f"parents {page}", f"tree {root}"))
        counts = {f"parents {page}": (len({one["sp"] for one in above}), len(above) - 1),
                  f"tree {root}": (len(below), sum(one["depth"] > min(two["depth"] for two in below) for one in below))}
        for line, (nodes, edges) in counts.items():
            answer = product.run(self.program, ["-c", self.dump, "-s", self.debug, *line.split(), "-f", "dot"])
            drawn = subprocess.run(["dot", "-Tsvg"], input=answer.output, capture_output=True, text=True, check=False)
            found = tuple(drawn.stdout.count(f'class="{kind}"') for kind in ("node", "edge"))
            if drawn.returncode != 0 or drawn.stderr or found != (nodes, edges):
                problems.append(f"{line}: {found} nodes and edges, not {(nodes, edges)}; {drawn.stderr[:200]}")
        self.check(problems, "pictures, " + ", ".join(f"{line}: {nodes} nodes" for line, (nodes, _) in counts.items()))

    def translations(self) -> None:
        """Addresses in the middle of frames that SPTEs map, and of others."""
        asked = []
        for vm, records in self.rmaps.items():
            mapped = sorted({int(record["gfn"], 16) for record in records})
            step = max(1, len(mapped) // SAMPLED_FRAMES)
            asked += [(vm, gfn * PAGE + 0xABC) for gfn in mapped[::step] + UNMAPPED]
        answers, problems = self.lines([f"translate {vm} {gpa:#x}" for vm, gpa in asked])
        agreed = mapped_in_host = 0
        for (vm, gpa), found in zip(asked, answers):
            expected = translate_records(self.kernel, vm, gpa, self.rmaps[vm])
            for record in found:
                record["mapped by"] = sorted((spte["spte_address"], spte["hpa"]) for spte in record["sptes"])
            problems = problems + differences(expected, found)
            agreed += sum(record["agree"] is True for record in expected)
            mapped_in_host += sum(record["hpa"] is not None for record in expected)
        problems += ["no frame is mapped by both"] * (not agreed)
        self.check(problems, f"translate, {len(asked)} addresses, {mapped_in_host} in the host, {agreed} mapped by both alike")


def run(program: Path, dump: Path, debug: Path, checks: Checks) -> None:
    MmuTest(program, dump, debug, checks).run()


def run_others(program: Path, checks: Checks) -> None:
    """The dumps that no other test hands to run()."""
    for scenario in OTHERS:
        for series in KERNELS:
            dump, = lab_dumps.get(scenario, series, "elf")
            run(program, dump.path, dump.debug, checks)
    for scenario in BIG:
        dump, = lab_dumps.get(scenario, KERNELS[0], "elf")
        MmuTest(program, dump.path, dump.debug, checks).run_agreement()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kvmscope", type=Path, required=True, metavar="PROGRAM")
    parser.add_argument("--dump", type=Path, required=True, metavar="FILE", help="an ELF dump that QEMU wrote")
    parser.add_argument("--debug", type=Path, required=True, metavar="FOLDER")
    options = parser.parse_args()
    checks = Checks()
    run(options.kvmscope, options.dump, options.debug, checks)
    return checks.status()


if __name__ == "__main__":
    sys.exit(main())
