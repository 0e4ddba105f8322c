"""kvmscope beside guests that zap and switch all the time: no crash, no hang, and torn records are labelled.

Every 50th round, and at the end, the guests are stopped (SIGSTOP): then all records must equal those of a dump.
"""

import json
import time
from collections import Counter
from dataclasses import dataclass, replace

from inside import PATIENCE, parse_all

COMMANDS = ("roots", "pages --tdp", "tree 0.0", "unsync")
ROUNDS_BETWEEN_STOPS = 50
ROUND_SECONDS = 120
FIRST_MARK = 1_000_000_000
MOST_SHOWN = 5
# How JSON shows a value, or a part of a record, that could not be read.
LOST = ("'lost': ", "'notes': ")


@dataclass(frozen=True)
class Load:
    """What is loaded, the guests, for how many rounds and seconds at least, and how many processes are asked once.

    `torn` says whether torn records must be seen: without shadow pages that are zapped all the time they are too rare.
    """

    name: str
    kvm_amd: str
    guests: tuple
    rounds: int
    seconds: int
    processes: int
    torn: bool


SHADOW = Load("shadow", "npt=0", ("rewrite", "slots"), 10, 30, 20, True)
TDP = Load("tdp", "npt=1", ("slots vcpus=2", "switch-4"), 10, 10, 4, False)
QUICK = (SHADOW, TDP)
LONG = (replace(SHADOW, guests=("rewrite vcpus=2", "slots"), rounds=1000, seconds=480),
        replace(TDP, rounds=200, seconds=120, processes=20))


def run(bench):
    for load in LONG if bench.long else QUICK:
        bench.machine.load_kvm(load.kvm_amd)
        with bench.machine.guests(*(f"live_guest {guest}" for guest in load.guests)):
            LoadTest(bench, load).run()


class LoadTest:
    """One process that is asked again and again, and some that are asked once."""

    def __init__(self, bench, load):
        self.bench = bench
        self.load = load
        self.title = f"load {load.name}"
        self.truths = Counter()
        self.damaged = []
        self.problems = []
        self.mark = FIRST_MARK
        self.process = None

    def run(self):
        rounds, started = 0, time.monotonic()
        self.process = self.bench.machine.channel.start(f"exec kvmscope {PATIENCE} -f jsonl", has_input=True)
        while rounds < self.load.rounds or time.monotonic() - started < self.load.seconds:
            rounds += 1
            for command in COMMANDS:
                self.note(command, self.ask(command))
            if rounds % ROUNDS_BETWEEN_STOPS == 0:
                self.compare_stopped()
        self.compare_stopped()
        self.process.end_input()
        answer = self.process.wait()
        # 4 and words say that something could not be read; nothing here is corrupt, and no command wrong.
        if answer.status not in (0, 4):
            said = [line for line in answer.errors.splitlines() if "changed while" not in line]
            self.problems += [f"{answer.how_it_ended()}, not status 0 or 4", *said, *self.damaged[:MOST_SHOWN]]
        self.bench.check(self.title, self.problems, f"{rounds} rounds in {time.monotonic() - started:.0f} s")
        self.fresh_processes()
        self.bench.check(self.title, self.wrong_truths(), f"truth: {dict(self.truths)}")

    def ask(self, command):
        """The lines that the process prints for the command."""
        self.mark += 1
        self.process.write(f"{command}\nprint {self.mark}\n")
        text = self.process.read_until(f'"value": "{self.mark}"', ROUND_SECONDS)
        self.process.read_until("\n")
        return text.splitlines()[:-1]

    def note(self, command, lines):
        for line in lines:
            try:
                self.count(json.loads(line))
            except ValueError:
                self.problems.append(f"{command} printed a line that is no JSON: {line[:200]}")

    def count(self, record):
        self.truths[str(record.get("truth"))] += 1
        if record.get("truth") == "stable" and any(mark in str(record) for mark in LOST):
            self.damaged.append(str(record))

    def compare_stopped(self):
        channel = self.bench.machine.channel
        # A vCPU leaves its guest before it stops.
        channel.must("killall -STOP live_guest; sleep 0.3")
        try:
            live = {command: ([json.loads(line) for line in self.ask(command)], []) for command in COMMANDS}
            with self.bench.machine.stopped_dump() as dump:
                self.bench.equals_dump(f"{self.title}, stopped", live, dump)
        finally:
            channel.must("killall -CONT live_guest")

    def fresh_processes(self):
        problems = []
        for number in range(self.load.processes):
            command = COMMANDS[number % len(COMMANDS)]
            answer = self.bench.run(f"exec kvmscope {PATIENCE} -f json {command}", ROUND_SECONDS)
            arrays, wrong = parse_all(answer.output)
            if answer.status not in (0, 4):
                wrong.append(f"{answer.how_it_ended()}: {answer.errors[-1000:]}")
            problems += [f"{command}: {what}" for what in wrong]
            for record in (record for array in arrays for record in array):
                self.count(record)
        self.bench.check(self.title, problems, f"{self.load.processes} processes")

    def wrong_truths(self):
        problems = [f"{count} records have the truth {truth}" for truth, count in self.truths.items()
                    if truth not in ("stable", "torn")]
        if self.load.torn and not self.truths["torn"]:
            problems.append("no record was torn: nobody would notice a label that is never set")
        if not self.truths["stable"]:
            problems.append("no record was stable")
        return problems
