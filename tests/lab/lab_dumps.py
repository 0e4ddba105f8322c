"""Asks scripts/lab for dumps: path and debug folder of a scenario on a kernel in a format, made if they are missing."""

import json
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LAB = Path(__file__).resolve().parents[2] / "scripts" / "lab"


@dataclass(frozen=True)
class LabDump:
    """One file."""

    path: Path
    debug: Path
    release: str
    console: Path


@cache
def get(scenario: str, series: str, *formats: str) -> tuple[LabDump, ...]:
    """One for each format, all of the same stopped machine."""
    command = [LAB, "dump", scenario, "--kernel", series, "--format", ",".join(formats), "--json"]
    answer = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    found = {file["format"]: LabDump(Path(file["path"]), Path(file["debug"]), file["kernel"],
                                    Path(file["console"]))
             for file in json.loads(answer)}
    return tuple(found[name] for name in formats)
