#!/usr/bin/python3
"""Holds slots and translate against the memslots that the guest runner announced: made, moved, deleted and made again."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import lab_dumps, product  # pylint: disable=wrong-import-position
from lab.announced import facts, numbers_of_vms  # pylint: disable=wrong-import-position
from lab.checks import Checks, run_alone  # pylint: disable=wrong-import-position

SCENARIOS = ("splits", "splits-shadow", "tdp")
KERNELS = ("6.1", "6.12")
PAGE = 4096
FLAGS = {0: [], 1: ["dirty_log"], 2: ["readonly"]}
AS_ID_SHIFT = 16  # the upper half of an announced id is the address space

Slot = dict[str, str]
Place = tuple[str, int]  # name of a VM, gfn


def last_of_each(announced: list[Slot]) -> list[Slot]:
    """A slot that is announced again is another one from then on; without an address it is deleted."""
    slots: dict[tuple[str, str], Slot] = {}
    for slot in announced:
        slots[slot["vm"], slot["id"]] = slot
    return [slot for slot in slots.values() if "gpa" in slot]


def ends(slot: Slot) -> tuple[int, int]:
    """In frames."""
    first = int(slot["gpa"], 16) // PAGE
    return first, first + int(slot["size"], 16) // PAGE


def expected_record(slot: Slot, numbers: dict[str, int]) -> dict:
    first, end = ends(slot)
    number = int(slot["id"])
    return {"vm": numbers[slot["vm"]], "as_id": number >> AS_ID_SHIFT, "id": number % (1 << AS_ID_SHIFT),
            "base_gfn": hex(first), "end_gfn": hex(end), "npages": end - first, "hva": slot["hva"],
            "flags": FLAGS[int(slot["flags"])]}


def places(announced: list[Slot]) -> set[Place]:
    """The frames at both sides of both ends of every slot that ever was."""
    return {(slot["vm"], gfn) for slot in announced if "gpa" in slot for end in ends(slot)
            for gfn in (end - 1, end) if gfn >= 0}


def holder(slots: list[Slot], place: Place) -> Slot | None:
    """The normal address space's slot there."""
    vm, gfn = place
    found = [slot for slot in slots if slot["vm"] == vm and ends(slot)[0] <= gfn < ends(slot)[1]
             and int(slot["id"]) >> AS_ID_SHIFT == 0]
    return found[0] if found else None


def translation_problems(slot: Slot | None, gfn: int, records: list[dict]) -> list[str]:
    """`records`: what translate says of the middle of the frame, a record for each memslot that holds it."""
    normal = [record for record in records if record["as_id"] == 0]
    expected = []
    if slot is not None:
        expected = [(int(slot["id"]), hex(int(slot["hva"], 16) + (gfn - ends(slot)[0]) * PAGE + PAGE // 2))]
    found = [(record["slot"], record["hva"]) for record in normal]
    problems = [f"gfn {gfn:#x}: {found}, not {expected}"] if found != expected else []
    return problems + [f"gfn {gfn:#x}: host and SPTEs do not agree" for record in normal if record["agree"] is False]


def run(program: Path, scenario: str, series: str, checks: Checks) -> None:
    (dump,) = lab_dumps.get(scenario, series, "elf")
    title = f"{scenario} {series} slots"
    numbers = numbers_of_vms(dump.console)
    announced = facts(dump.console, "slot")
    slots = last_of_each(announced)

    found, problems = product.records(program, dump.path, dump.debug, "slots")
    expected = [expected_record(slot, numbers) for slot in slots]
    fields = [{key: record[key] for key in expected[0]} for record in found]
    problems += [f"missing: {record}" for record in expected if record not in fields]
    problems += [f"not announced: {record}" for record in fields if record not in expected]
    if len(fields) != len(expected):
        problems.append(f"{len(fields)} memslots, not {len(expected)}")
    checks.check(title, problems, f"{len(expected)} memslots of {len(numbers)} VMs")

    asked = sorted(places(announced))
    answers, problems = product.line_records(
        program, dump.path, dump.debug,
        [f"translate {numbers[vm]} {gfn * PAGE + PAGE // 2:#x}" for vm, gfn in asked])
    outside = 0
    for place, records in zip(asked, answers):
        slot = holder(slots, place)
        outside += slot is None
        problems += translation_problems(slot, place[1], records)
    if not outside or outside == len(asked):
        problems.append(f"{outside} of {len(asked)} addresses are in no memslot")
    checks.check(title, problems, f"translate of {len(asked)} addresses, {outside} in no memslot")


def run_all(program: Path, checks: Checks) -> None:
    for scenario in SCENARIOS:
        for series in KERNELS:
            run(program, scenario, series, checks)


if __name__ == "__main__":
    sys.exit(run_alone(run_all, __doc__))
