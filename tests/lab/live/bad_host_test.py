"""Runs the cases of bad_host.toml.

Each must end soon, with the right status, in the right words, and leave nothing behind. What happens to the kernel in
the middle of a walk happens while kvmscope is stopped there: strace sends SIGSTOP at a read that a rehearsal chose.
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
READS = "strace -o /tmp/reads -e trace=pread64"
STOPPED = "--- stopped by SIGSTOP ---"


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
    records: int | None = None
    meanwhile: str = ""
    reads_left: list[int] = field(default_factory=list)
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
    if case.reads_left:
        return [problem for left in case.reads_left for problem in stopped_problems(bench.machine, case, left)]
    with bench.machine.guests(*([f"live_guest {case.guest}"] if case.guest else [])):
        leftovers.settle(channel)
        # What `before` takes away, `after` brings back: compared is what was there before the one and behind the other.
        before = leftovers.state(channel) if case.after else ""
        if case.before:
            channel.must(case.before)
        before = before or leftovers.state(channel)
        during = channel.start(f"while [ ! -e {STOP} ]; do\n{case.during}\ndone") if case.during else None
        try:
            problems = run_again_and_again(bench, case)
        finally:
            if during:  # to its end: half of it would leave the machine half changed
                channel.must(f"touch {STOP}")
                during.wait()
                channel.must(f"rm {STOP}")
        if case.after:
            channel.must(case.after)
        problems += leftovers.problems(bench.machine, before)
    return problems


def stopped_problems(machine, case, left):
    """What is wrong with a run that is stopped when it has so many reads to do, until `meanwhile` has happened."""
    channel = machine.channel
    with machine.guests(f"live_guest {case.guest}"):
        # A guest that stands still is read with as many reads each time.
        channel.must("killall -STOP live_guest; sleep 0.3")
        channel.must(f"{READS} {case.run} > /dev/null")
        count = int(channel.must("grep -c ^pread64 /tmp/reads"))
        before = leftovers.state(channel)
        command = channel.start(f"exec {READS} -e inject=pread64:signal=SIGSTOP:when={count - left} {case.run}")
        channel.must(f"for i in $(seq 200); do grep -q -e '{STOPPED}' /tmp/reads && exit; sleep 0.05; done; exit 1")
        channel.must(case.meanwhile)
        channel.must("kill -CONT $(pidof kvmscope)")
        problems = judge(case, command.wait(SECONDS))
        reads = channel.must(f"sed '1,/{STOPPED}/d' /tmp/reads | grep -c ^pread64; true")
        if case.after:
            channel.must(case.after)
        problems += leftovers.problems(machine, before)
    if int(reads) == 0:
        problems.append("it had nothing left to read when it went on")
    return [f"stopped {left} reads before the last: {problem}" for problem in problems]


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
        arrays, wrong = parse_all(answer.output)
        problems += wrong
        count = sum(map(len, arrays))
        if case.records not in (None, count):
            problems.append(f"it has {count} records, not {case.records}")
    if problems:
        problems.append(f"it says: {answer.errors.strip()[:SHOWN_TEXT]}")
    return problems
