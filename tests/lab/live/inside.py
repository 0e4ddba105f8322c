"""What the live tests share: a machine, the program in it, and on the host for dumps of the machine."""

import json
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from lab import product
from lab.checks import Checks
from lab.compare_test import differences

# What a record of a live kernel has besides those of a dump.
LIVE_KEYS = {"truth"}
# A machine that is emulated on a busy host needs more than the default.
PATIENCE = "--max-seconds 100"
IDLE = ("vms", "vcpus", "roots", "pages --tdp", "slots", "levels", "unsync", "tree 0.0")


@dataclass
class Bench:
    """One machine, and where its checks are counted."""

    machine: object
    kvmscope: Path
    checks: Checks
    kernel: str
    long: bool = False

    def check(self, name, problems, remark=""):
        return self.checks.check(f"live {self.kernel} {name}", problems, remark)

    def run(self, line, seconds=120, **options):
        """The Answer of a command line in the machine."""
        return self.machine.channel.run(line, seconds, **options)

    def records(self, commands, options=""):
        """By command: its records in the machine, and what is wrong with the run. One process answers all."""
        lines = " ".join(f"-e '{command}'" for command in commands)
        answer = self.run(f"exec kvmscope {PATIENCE} {options} -f json {lines}")
        problems = [] if answer.status == 0 else [answer.how_it_ended(), *answer.errors.splitlines()]
        arrays, wrong = parse_all(answer.output)
        if len(arrays) != len(commands):
            wrong.append(f"it printed {len(arrays)} arrays, not {len(commands)}")
        answers = zip_longest(commands, arrays[:len(commands)], fillvalue=[])
        return {command: (array, problems + wrong) for command, array in answers}

    def dump_records(self, dump, command):
        return product.records(self.kvmscope, dump, self.machine.kernel.debug, command)

    def equals_dump(self, name, live, dump):
        """Checks that records equal those of a dump that was taken when nothing ran: `live` has them by command."""
        for command, (found, problems) in live.items():
            expected, dump_problems = self.dump_records(dump, command)
            # The guest may have been stopped between two roots: then neither has one to show.
            if not found and not problems and any("is empty (see" in problem for problem in dump_problems):
                dump_problems = []
            problems = problems + [f"the dump: {problem}" for problem in dump_problems]
            self.check(name, problems or unlike(expected, found), f"{command}, {len(expected)} records")


def parse_all(text):
    """The values of JSON texts one after the other, and what is wrong with them."""
    values, rest = [], text.lstrip()
    try:
        while rest:
            value, end = json.JSONDecoder().raw_decode(rest)
            values.append(value)
            rest = rest[end:].lstrip()
    except json.JSONDecodeError as error:
        return values, [f"its output is no JSON: {error}"]
    return values, []


def unlike(expected, found):
    """One line for each difference between a dump's records and a resting live kernel's."""
    problems = differences(expected, found)
    for number, (wanted, given) in enumerate(zip(expected, found)):
        surplus = given.keys() - wanted.keys() - LIVE_KEYS
        problems += [f"record {number} has {key} only in the machine" for key in sorted(surplus)]
        if given.get("truth") != "stable":
            problems.append(f"record {number} has the truth {given.get('truth')!r}, not 'stable'")
    return problems
