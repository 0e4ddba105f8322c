#!/usr/bin/python3
"""Holds the oracle's records against what KVM's own rules say about a dump that was taken at rest."""

import argparse
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab.checks import Checks  # pylint: disable=wrong-import-position
from lab.oracle.commands import COMMANDS, open_kernel  # pylint: disable=wrong-import-position
from lab.oracle.kernel import Kernel  # pylint: disable=wrong-import-position
from lab.oracle.roots import distinct_roots  # pylint: disable=wrong-import-position
from lab.oracle.shadow_pages import children, field  # pylint: disable=wrong-import-position

Records = dict[str, list[dict]]


def parents_are_entries(kernel: Kernel, records: Records) -> list[str]:
    """Each entry that points to a shadow page is one of its parents, and there are no others. Roots' slots are none."""
    pages = records["pages"]
    found = Counter(hex(child) for page in pages for child in children(kernel, int(page["sp"], 16)))
    return [f"{page['sp']} has {page['parents']} parents, but {found[page['sp']]} entries point to it"
            for page in pages if page["parents"] != found[page["sp"]]]


def root_counts_are_slots(_: Kernel, records: Records) -> list[str]:
    """A shadow page is counted once for each slot of a vCPU that holds it as a root."""
    found = Counter(root["sp"] for root in records["roots"])
    return [f"{page['sp']} has the root_count {page['root_count']}, but is in {found[page['sp']]} slots"
            for page in records["pages"] if page["root_count"] != found[page["sp"]]]


def unsync_steps_are_leaves(kernel: Kernel, records: Records) -> list[str]:
    """The batches of a root visit each unsync page below it exactly once."""
    problems = []
    visited = Counter((batch["root_sp"], step["sp"]) for batch in records["unsync"] for step in batch["steps"])
    for slot in distinct_roots(kernel):
        if slot.page is not None:
            for page in pages_below(kernel, slot.page):
                times = visited.pop((hex(slot.page), hex(page)), 0)
                if times != int(field(kernel, page, "unsync")):
                    problems.append(f"{slot.name}: {page:#x} is visited {times} times")
    return problems + [f"root {root} has no page {page} below it" for root, page in visited]


def pages_below(kernel: Kernel, root: int) -> set[int]:
    found, waiting = set(), [root]
    while waiting:
        page = waiting.pop()
        if page not in found:
            found.add(page)
            waiting += children(kernel, page)
    return found


def counts_agree(_: Kernel, records: Records) -> list[str]:
    """mmu_pages_used counts the active pages, and invalid ones that live on as roots."""
    problems = []
    for vm in records["vms"]:
        active = [page for page in records["pages"] if page["vm"] == vm["vm"]]
        held = {root["sp"] for root in records["roots"]
                if root["vm"] == vm["vm"] and "invalid" in (root["role_text"] or "").split()}
        if vm["active_pages"] != len(active) or vm["mmu_pages_used"] != len(active) + len(held):
            problems.append(f"vm {vm['vm']}: {vm['mmu_pages_used']} pages used, {vm['active_pages']} active, "
                            f"{len(active)} listed, {len(held)} invalid roots")
    return problems


RULES = (parents_are_entries, root_counts_are_slots, unsync_steps_are_leaves, counts_agree)


def run(title: str, dump: Path, debug: Path, checks: Checks) -> None:
    kernel = open_kernel("own", dump, debug)
    records = {command: records_of(kernel) for command, records_of in COMMANDS.items()}
    for rule in RULES:
        checks.check(f"{title} oracle", rule(kernel, records), rule.__name__.replace("_", " "))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dump", type=Path, required=True, metavar="FILE", help="an ELF dump that QEMU wrote")
    parser.add_argument("--debug", type=Path, required=True, metavar="FOLDER")
    options = parser.parse_args()
    checks = Checks()
    run(options.dump.name, options.dump, options.debug, checks)
    return checks.status()


if __name__ == "__main__":
    sys.exit(main())
