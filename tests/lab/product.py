"""Runs kvmscope, the product under test."""

import json
import os
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SECONDS = 60
# A run reads debug files, not what an earlier one kept of them, unless a test wants that.
NO_CACHE = {"XDG_CACHE_HOME": os.devnull}


@dataclass(frozen=True)
class Answer:
    """What one run printed and how it ended. `status` is None if it took too long, negative for a signal."""

    status: int | None
    output: str
    errors: str

    def how_it_ended(self) -> str:
        if self.status is None:
            return "it did not end in time"
        if self.status < 0:
            return f"it died of {signal.Signals(-self.status).name}"
        return f"status {self.status}"


def run(program: Path, arguments: list, seconds: float = SECONDS, environment: dict[str, str] | None = None) -> Answer:
    """`environment` is added to this process's own."""
    command = [str(program), *map(str, arguments)]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                              timeout=seconds, check=False, env=os.environ | NO_CACHE | (environment or {}))
    except subprocess.TimeoutExpired:
        return Answer(None, "", "")
    return Answer(done.returncode, done.stdout, done.stderr)


def records(program: Path, dump: Path, debug: Path, command: str) -> tuple[list[dict], list[str]]:
    """A command's records, and what is wrong with the run."""
    answer = run(program, ["-c", dump, "-s", debug, "-f", "json", *command.split()])
    if answer.status != 0:
        return [], [answer.how_it_ended(), *answer.errors.splitlines()]
    try:
        return json.loads(answer.output), []
    except json.JSONDecodeError as error:
        return [], [f"its output is no JSON: {error}"]


def line_records(program: Path, dump: Path, debug: Path, lines: list[str]) -> tuple[list[list[dict]], list[str]]:
    """The records of each command line, all run by one process, and what is wrong with the run."""
    executed = [word for line in lines for word in ("-e", line)]
    answer = run(program, ["-c", dump, "-s", debug, "-f", "json", *executed])
    if answer.status != 0:
        return [], [answer.how_it_ended(), *answer.errors.splitlines()]
    found, rest = [], answer.output.lstrip()
    try:
        while rest:
            records_of_line, end = json.JSONDecoder().raw_decode(rest)
            found.append(records_of_line)
            rest = rest[end:].lstrip()
    except json.JSONDecodeError as error:
        return [], [f"its output is no JSON: {error}"]
    return found, [] if len(found) == len(lines) else [f"{len(found)} answers to {len(lines)} lines"]


@contextmanager
def folder_of(*files: Path):
    """A folder with nothing but links to these files."""
    with tempfile.TemporaryDirectory(prefix="kvmscope-debug-") as folder:
        for file in files:
            (Path(folder) / file.name).symlink_to(file)
        yield Path(folder)
