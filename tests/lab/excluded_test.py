#!/usr/bin/python3
"""Holds kvmscope's answers on a dump that lacks some of KVM's own pages against the oracle, which reads the whole dump.

Debian's makedumpfile takes slabs of 6.12 for user memory, so -d 31 leaves some of KVM's structures out, and it is not
known which. Whatever they are: a value is the oracle's or says that it is excluded, and a record that is not there, or
that differs, is told of.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import lab_dumps, product  # pylint: disable=wrong-import-position
from lab.checks import Checks, run_alone  # pylint: disable=wrong-import-position
from lab.oracle.commands import COMMANDS, open_kernel  # pylint: disable=wrong-import-position
from lab.oracle.trees import tree_lines  # pylint: disable=wrong-import-position

REASON = "page excluded from this dump"
SOUND_STATUS, PARTIAL_STATUS = 0, 4

# What tells the records of a command apart.
KEYS = {
    "vms": ("vm",),
    "vcpus": ("vm", "idx"),
    "roots": ("vm", "vcpu", "mmu", "slot"),
    "pages": ("sp",),
    "pages --tdp": ("sp",),
    "slots": ("vm", "as_id", "id"),
    "levels": ("vm", "root_sp", "name", "level"),
    "unsync": ("root_sp", "batch"),
    "tree": ("spte_address", "address"),
}


def is_lost(value: object) -> bool:
    return isinstance(value, dict) and REASON in value.get("lost", "")


def record_problems(expected: dict, given: dict, name: str) -> tuple[int, list[str]]:
    """How many values are lost, and those that are neither right nor lost."""
    if any(REASON in note for note in given.get("notes") or []):
        return 1, []
    lost = [key for key in expected if is_lost(given[key])]
    return len(lost), [f"{name} {key}: {given[key]!r}, not {value!r}" for key, value in expected.items()
                       if key not in lost and given[key] != value]


def answer_problems(command: str, expected: list[dict], answer: product.Answer) -> tuple[int, list[str]]:
    """How much is lost, and what is wrong."""
    keys = KEYS["tree" if command.startswith("tree ") else command]

    def key_of(record: dict) -> tuple:
        return tuple(json.dumps(record[key]) for key in keys)

    try:
        found = {key_of(record): record for record in json.loads(answer.output)}
    except json.JSONDecodeError as error:
        return 0, [answer.how_it_ended(), f"its output is no JSON: {error}"]
    lost, problems = 0, []
    for record in expected:
        given = found.pop(key_of(record), None)
        if given is not None:
            count, wrong = record_problems(record, given, f"{command} {' '.join(key_of(record))}")
            lost, problems = lost + count, problems + wrong
        else:
            lost += 1
            if REASON not in answer.errors:
                problems.append(f"{command} {' '.join(key_of(record))} is not there, and nothing says why")
    problems += [f"{command} {' '.join(key)} is in no whole dump" for key in found]
    lost = lost or int(REASON in answer.errors)  # the root of an empty tree, for instance
    wanted = PARTIAL_STATUS if lost else SOUND_STATUS
    return lost, problems + ([] if answer.status == wanted else [f"{answer.how_it_ended()}, not {wanted}"])


def run(program: Path, checks: Checks, scenario: str = "shadow", series: str = "6.12",
        form: str = "kdump-lzo-d31") -> None:
    whole, dump = lab_dumps.get(scenario, series, "elf", form)
    kernel = open_kernel("own", whole.path, whole.debug)
    lines = {command: records_of(kernel) for command, records_of in COMMANDS.items()}
    lines |= {line: records for line, records in tree_lines(kernel).items() if line.startswith("tree ")}
    total = 0
    for line, expected in lines.items():
        answer = product.run(program, ["-c", dump.path, "-s", dump.debug, "-f", "json", *line.split()])
        lost, problems = answer_problems(line, expected, answer)
        total += lost
        if problems or not line.startswith("tree "):
            checks.check(f"{scenario} {series} {form}", problems, f"{line}, {len(expected)} records, {lost} losses")
    checks.check(f"{scenario} {series} {form}", [] if total else ["no page of KVM's is excluded: nothing was tested"],
                 f"{total} losses")


if __name__ == "__main__":
    sys.exit(run_alone(run, __doc__))
