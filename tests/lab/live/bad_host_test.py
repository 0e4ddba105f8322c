"""Runs the cases of bad_host.toml.

Each must end soon, with the right status, in the right words, and leave nothing behind.
"""

import signal
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import leftovers
from inside import parse_all

TABLE = Path(__file__).with_name("bad_host.toml")
SECONDS = 30
STOP = "/tmp/stop"
SHOWN_TEXT = 400


@dataclass(frozen=True)
class Case:
    """One entry of the table; see its head for what the entries mean."""

    name: str
    run: str
    status: list[int]
    words: list[str] = field(default_factory=list)
    before: str = ""
    after: str = ""
    during: str = ""
    guest: str = ""
    times: int = 1
    signal_after: list[int] = field(default_factory=list)


def run(bench):
    run_table(bench, TABLE)


def run_table(bench, table):
    bench.machine.load_kvm("npt=0")
    for entry in tomllib.loads(table.read_text())["case"]:
        case = Case(**entry)
        bench.check(table.stem.replace("_", " "), run_case(bench, case), f"{case.name} ({case.run})")


def run_case(bench, case):
    """What is wrong with the answers, and with what they left behind."""
    channel = bench.machine.channel
    with bench.machine.guests(*([f"live_guest {case.guest}"] if case.guest else [])):
        leftovers.settle(channel)
        if case.before:
            channel.must(case.before)
        before = leftovers.state(channel)
        during = channel.start(f"while [ ! -e {STOP} ]; do\n{case.during}\ndone") if case.during else None
        try:
            problems = run_again_and_again(bench, case)
        finally:
            if during:  # to its end: half of it would leave the machine half changed
                channel.must(f"touch {STOP}")
                during.wait()
                channel.must(f"rm {STOP}")
        problems += leftovers.problems(channel, before)
        if case.after:
            channel.must(case.after)
    return problems


def run_again_and_again(bench, case):
    for delay in case.signal_after or [None] * case.times:
        problems = judge(case, run_once(bench.machine.channel, case, delay))
        if problems:
            return problems + ([f"with SIGINT after {delay} ms"] if delay is not None else [])
    return []


def run_once(channel, case, delay):
    command = channel.start(f"exec {case.run}" if delay is not None else case.run)
    if delay is not None:
        time.sleep(delay / 1000)
        command.signal(signal.SIGINT)
    return command.wait(SECONDS)


def judge(case, answer):
    problems = []
    if answer.status not in case.status:
        problems.append(f"{answer.how_it_ended()}, not {' or '.join(map(str, case.status))}")
    said = answer.errors.lower()
    problems += [f"it does not say '{words}'" for words in case.words
                 if not any(word.lower() in said for word in words.split("|"))]
    if "-f json" in case.run and "-f jsonl" not in case.run:
        problems += parse_all(answer.output)[1]
    if problems:
        problems.append(f"it says: {answer.errors.strip()[:SHOWN_TEXT]}")
    return problems
