#!/usr/bin/python3
"""Holds translate --gva and guest read against what the guest runner wrote into its guests' page tables and pages."""

import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import lab_dumps, product  # pylint: disable=wrong-import-position
from lab.announced import facts, numbers_of_vms  # pylint: disable=wrong-import-position
from lab.checks import Checks, run_alone  # pylint: disable=wrong-import-position
from lab.lab_dumps import LabDump  # pylint: disable=wrong-import-position

SCENARIOS = ("modes-shadow", "modes-tdp", "shadow", "tdp", "la57", "splits", "splits-shadow")
KERNELS = ("6.1", "6.12")
FORMATS = ("elf", "kdump-zlib")  # both have every page
PAGE, ANNOUNCED_BYTES = 4096, 16
EVERY_MODE = {"none", "32-bit", "pae", "4-level", "5-level"}


def truths_of(dump: LabDump) -> list[dict[str, str]]:
    """What the runner says of addresses, each with the number of its VM."""
    numbers = numbers_of_vms(dump.console)
    return [fact | {"kind": kind, "vm": str(numbers[fact["vm"]])}
            for kind in ("translation", "fault") for fact in facts(dump.console, kind)]


def translation_problems(truth: dict[str, str], record: dict) -> list[str]:
    """`record`: what translate says of an address that is mapped."""
    name = f"{truth['vm']} vCPU {truth['vcpu']} gva {truth['gva']}"
    if record["gpa"] != truth["gpa"] or record["guest_state"] != "mapped":
        return [f"{name}: gpa {record['gpa']}, {record['guest_state']}, not {truth['gpa']}"]
    if record["agree"] is False or isinstance(record["agree"], dict):
        return [f"{name}: agree is {record['agree']}"]
    in_memory = truth["bytes"] != "-"
    if in_memory and (record["hpa"] is None or record["host_state"] != "mapped"):
        return [f"{name}: not in the host: {record['host_state']}"]
    # Without bytes at least one of them is a device's.
    in_one_page = int(truth["gva"], 16) % PAGE <= PAGE - ANNOUNCED_BYTES
    if not in_memory and in_one_page and record["slot"] is not None:
        return [f"{name}: a device in memslot {record['slot']}"]
    return []


def fault_problems(truth: dict[str, str], record: dict) -> list[str]:
    """`record`: what translate says of an address that faults."""
    name = f"{truth['vm']} vCPU {truth['vcpu']} gva {truth['gva']}"
    if record["guest_state"] != truth["reason"] or record["gpa"] is not None:
        return [f"{name}: {record['guest_state']}, gpa {record['gpa']}, not {truth['reason']}"]
    level = f"level {truth['level']} entry "
    if truth["reason"] != "noncanonical" and not record["guest_fault"].startswith(level):
        return [f"{name}: {record['guest_fault']!r} is not about level {truth['level']}"]
    return []


def run(program: Path, scenario: str, series: str, checks: Checks) -> None:
    for dump in lab_dumps.get(scenario, series, *FORMATS):
        truths = truths_of(dump)
        title = f"{scenario} {series} {dump.path.name} guest"
        lines = [f"translate --gva --vcpu {truth['vcpu']} {truth['vm']} {truth['gva']}" for truth in truths]
        answers, problems = product.line_records(program, dump.path, dump.debug, lines)
        modes: Counter[str] = Counter()
        for truth, records in zip(truths, answers):
            if len(records) != 1:
                problems.append(f"{len(records)} records about gva {truth['gva']}")
                continue
            judge = translation_problems if truth["kind"] == "translation" else fault_problems
            problems += judge(truth, records[0])
            modes[records[0]["paging"]] += 1
        if not truths or (scenario.startswith("modes") and set(modes) != EVERY_MODE):
            problems.append(f"the runner has not announced every mode: {dict(modes)}")
        checks.check(title, problems, f"translate --gva of {len(truths)} addresses: " +
                     ", ".join(f"{count} {mode}" for mode, count in sorted(modes.items())))

        readable = [truth for truth in truths if truth.get("bytes", "-") != "-"]
        lines = [f"guest {truth['vm']} read --gva --vcpu {truth['vcpu']} {truth['gva']} {len(truth['bytes']) // 2}"
                 for truth in readable]
        answers, problems = product.line_records(program, dump.path, dump.debug, lines)
        for truth, records in zip(readable, answers):
            found = "".join(record["bytes"] for record in records)
            if found != truth["bytes"]:
                problems.append(f"gva {truth['gva']} of {truth['vm']} holds {found}, not {truth['bytes']}")
        # Leaf pages of the older scenarios are empty; those of the modes have a pattern each.
        zeros = sum(not int(truth["bytes"], 16) for truth in readable)
        if not readable or (zeros and scenario.startswith("modes")):
            problems.append(f"{zeros} of {len(readable)} places are empty")
        checks.check(title, problems, f"guest read of {len(readable)} places")


def run_all(program: Path, checks: Checks) -> None:
    for scenario in SCENARIOS:
        for series in KERNELS:
            run(program, scenario, series, checks)


if __name__ == "__main__":
    sys.exit(run_alone(run_all, __doc__))
