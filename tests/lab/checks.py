"""Counts checks and prints one line for each, with what went wrong under it."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SHOWN_DETAILS = 20


@dataclass
class Checks:
    """What a test run has found so far."""

    passed: int = 0
    failed: int = 0

    def check(self, name: str, problems: list[str], remark: str = "") -> bool:
        """Passes without problems; the remark says what was looked at."""
        print(f"{'FAIL' if problems else 'ok  '} {name}{': ' + remark if remark else ''}")
        for problem in problems[:SHOWN_DETAILS]:
            print(f"       {problem}")
        if len(problems) > SHOWN_DETAILS:
            print(f"       ... and {len(problems) - SHOWN_DETAILS} more")
        sys.stdout.flush()
        self.failed += bool(problems)
        self.passed += not problems
        return not problems

    def add(self, other: "Checks") -> None:
        self.passed += other.passed
        self.failed += other.failed

    def status(self) -> int:
        """Prints the sum; the exit status for it."""
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed or not self.passed else 0


def run_alone(run: Callable[[Path, Checks], None], description: str) -> int:
    """One part of the lab tests as a program of its own; its exit status."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--kvmscope", type=Path, required=True, metavar="PROGRAM")
    checks = Checks()
    run(parser.parse_args().kvmscope, checks)
    return checks.status()
