#!/usr/bin/python3
"""Runs the cases of bad_input/*.toml: each must end soon, with the right status, in the right words.

Every case must end within 10 seconds, without a signal, and print valid JSON unless the status is 2 or 3.
"""

import argparse
import json
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import bad_files, bad_packs, bad_snapshots, faults, lab_dumps, product  # pylint: disable=wrong-import-position
from lab.checks import Checks  # pylint: disable=wrong-import-position
from lab.compare_test import differences  # pylint: disable=wrong-import-position
from lab.oracle.commands import COMMANDS  # pylint: disable=wrong-import-position
from lab.oracle.kernel import Kernel  # pylint: disable=wrong-import-position
from lab.oracle.own_backend import OwnBackend  # pylint: disable=wrong-import-position

TABLES = Path(__file__).parent / "bad_input"
SECONDS = 10
OTHER_SERIES = {"6.1": "6.12", "6.12": "6.1"}
SHOWN_TEXT = 300


@dataclass(frozen=True)
class Case:
    """One entry of the tables."""

    name: str
    run: str  # the words of the command line after the options; for {…} see NUMBERS
    status: list[int]  # the exit statuses that are right
    words: list[str]  # texts the messages must hold, whatever their case; "a|b" is either of the two
    scenario: str = "shadow"  # with series and format: the lab's dump it starts from
    series: str = "6.1"
    format: str = "elf"
    file: str = ""  # a recipe of bad_files.py that makes another file of the dump
    debug: str = "right"  # a recipe of bad_files.py or bad_packs.py for the -s options
    snapshots: str = ""  # a recipe of bad_snapshots.py, for {good}, {bad} and {place} in `run`
    overlay: str = ""  # a fault of faults.py to plant
    records: int = 0  # how many it must print at least
    exactly: int | None = None  # how many it must print
    oracle: bool = False  # its records must be those the oracle computes of the same dump with the same overlay


@cache
def sound_kernel(scenario: str, series: str) -> Kernel:
    """The oracle on the dump that all the formats of the scenario were made from."""
    (dump,) = lab_dumps.get(scenario, series, "elf")
    return Kernel(OwnBackend(dump.path, dump.debug))


# What stands for a number that the oracle finds in the dump, in `run` and in `words`.
NUMBERS = {
    "{pid}": lambda kernel: COMMANDS["vms"](kernel)[0]["pid"],
    "{user-frame}": lambda kernel: f"{faults.user_frame(kernel):#x}",
    "{user-address}": lambda kernel: f"{faults.user_address(kernel):#x}",
    "{below-root}": lambda kernel: f"{faults.unsync_entry(kernel, faults.root(kernel).page)[0] << 39:#x}",
}


def filled(text: str, case: Case) -> str:
    for name, number in NUMBERS.items():
        if name in text:
            text = text.replace(name, str(number(sound_kernel(case.scenario, case.series))))
    return text


def run_case(case: Case, program: Path, folder: Path) -> list[str]:
    """What is wrong with the answer."""
    # As the first one too: the overlays and the other formats must be of the same machine.
    _, dump = lab_dumps.get(case.scenario, case.series, "elf", case.format)
    (other,) = lab_dumps.get("shadow", OTHER_SERIES[case.series], "elf")
    path = bad_files.make_dump(case.file, dump, folder) if case.file else dump.path
    options = ["-c", path, "-f", "json"]
    if case.debug in bad_packs.RECIPES:
        debug_files = bad_packs.make(case.debug, program, (dump, other), folder)
    else:
        debug_files = bad_files.make_debug(case.debug, dump, other, folder)
    for debug in debug_files:
        options += ["-s", debug]
    text = ""
    if case.overlay:
        text = faults.overlay(sound_kernel(case.scenario, case.series), case.overlay)
        (folder / "overlay").write_text(text)
        options += ["--overlay", folder / "overlay"]
    if case.snapshots:
        with bad_snapshots.made(case.snapshots, program, dump, folder) as paths:
            words = [replaced(word, paths) for word in case.run.split()]
            answer = product.run(program, [*options, *words], SECONDS)
            problems = judge(case, answer) + bad_snapshots.problems(case.snapshots, paths)
    else:
        answer = product.run(program, [*options, *filled(case.run, case).split()], SECONDS)
        problems = judge(case, answer)
    if case.oracle and not problems:
        kernel = Kernel(OwnBackend(dump.path, dump.debug, text))
        problems = differences(COMMANDS[case.run](kernel), json.loads(answer.output))
    return problems


def replaced(word: str, paths: dict[str, Path]) -> str:
    for name, path in paths.items():
        word = word.replace(name, str(path))
    return word


def judge(case: Case, answer: product.Answer) -> list[str]:
    problems = []
    if answer.status not in case.status:
        problems.append(f"{answer.how_it_ended()}, not {' or '.join(map(str, case.status))}")
    said = (answer.errors + reasons(answer.output)).lower()
    problems += [f"it does not say '{words}'" for words in case.words
                 if not any(word.lower() in said for word in filled(words, case).split("|"))]
    if answer.status in (0, 4, 5):
        problems += judge_records(case, answer.output)
    if problems:
        problems.append(f"it says: {(answer.errors.strip() + reasons(answer.output))[:SHOWN_TEXT]}")
    return problems


def reasons(output: str) -> str:
    """Of lost values, and the notes of records."""
    try:
        rows = json.loads(output)
    except json.JSONDecodeError:
        return ""
    lost = {value["lost"] for row in rows for value in row.values() if isinstance(value, dict) and "lost" in value}
    notes = {note for row in rows for note in row.get("notes") or []}
    return "\n".join(sorted(lost | notes))


def judge_records(case: Case, output: str) -> list[str]:
    try:
        count = len(json.loads(output))
    except json.JSONDecodeError as error:
        return [f"its output is no JSON: {error}"]
    if case.exactly is not None and count != case.exactly:
        return [f"{count} records, not {case.exactly}"]
    return [f"{count} records, not at least {case.records}"] if count < case.records else []


def run_all(program: Path, checks: Checks, pattern: str = "") -> None:
    cases = [Case(**entry) for table in sorted(TABLES.glob("*.toml"))
             for entry in tomllib.loads(table.read_text())["case"]]
    for case in cases:
        if pattern in case.name:
            with tempfile.TemporaryDirectory(prefix="kvmscope-bad-") as folder:
                checks.check("bad input", run_case(case, program, Path(folder)), f"{case.name} ({case.run})")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kvmscope", type=Path, required=True, metavar="PROGRAM")
    parser.add_argument("--only", default="", metavar="TEXT", help="only cases whose name holds this")
    options = parser.parse_args()
    checks = Checks()
    run_all(options.kvmscope, checks, options.only)
    return checks.status()


if __name__ == "__main__":
    sys.exit(main())
