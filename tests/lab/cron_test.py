#!/usr/bin/python3
"""Runs the job of scripts/cron as cron would: the series that it leaves, and what it lets go of."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import lab_dumps, product  # pylint: disable=wrong-import-position
from lab.checks import Checks, run_alone  # pylint: disable=wrong-import-position

JOB = Path(__file__).resolve().parents[2] / "scripts" / "cron" / "kvmscope-snapshot"
DAY = 86400
MEGABYTE = 1 << 20


class Job:
    """The job with a folder of its own."""

    def __init__(self, program: Path, dump, folder: Path):
        self.series = folder / "series"
        # cron's environment is nearly empty; a sanitizer's options belong to the program under test.
        kept = {name: os.environ[name] for name in ("PATH", "ASAN_OPTIONS") if name in os.environ}
        self.environment = kept | {"KVMSCOPE": str(program), "SERIES": str(self.series),
                                   "SETTINGS": "/dev/null", "OPTIONS": f"-c {dump.path} -s {dump.debug}"}

    def run(self, **settings: str):
        return subprocess.run([JOB], env=self.environment | settings, capture_output=True, text=True, check=False)

    def names(self) -> list[str]:
        return sorted(file.name for file in self.series.iterdir())

    def add_old(self, name: str, days: float, size: int = 100) -> None:
        self.series.mkdir(exist_ok=True)
        file = self.series / name
        file.write_bytes(b"x" * size)
        os.utime(file, (time.time() - days * DAY,) * 2)


def series_problems(program: Path, dump, folder: Path) -> list[str]:
    job = Job(program, dump, folder)
    for number in range(3):
        answer = job.run(METRICS=str(folder / "kvmscope.prom"), DEPTH="pages")
        if answer.returncode != 0 or answer.stdout or answer.stderr:
            return [f"run {number}: status {answer.returncode}: {answer.stdout}{answer.stderr}"]
        time.sleep(1.1)
    files = [job.series / name for name in job.names()]
    problems = [f"the series is {job.names()}"] * (len(files) != 3)
    for words in (["timeline", *files], ["diff", *files[:2]]):
        answer = product.run(program, words)
        if answer.status != 0 or answer.errors:
            problems.append(f"{words[0]}: {answer.how_it_ended()} {answer.errors}")
    if (job.series.stat().st_mode & 0o777) != 0o700:
        problems.append("others may look into the series")
    if "kvmscope_vms" not in (folder / "kvmscope.prom").read_text():
        problems.append("there are no metrics")
    return problems


def retention_problems(program: Path, dump, folder: Path) -> list[str]:
    job = Job(program, dump, folder)
    job.add_old("20200101T000000Z.json.zst", 30)
    job.add_old("20210101T000000Z.json.zst", 1)
    job.add_old("20210102T000000Z.json.zst", 0.5, MEGABYTE)
    job.add_old("20210103T000000Z.json.zst", 0.4, MEGABYTE // 2)
    job.add_old("notes of mine", 300)
    answer = job.run(DAYS="7", MEGABYTES="1")
    kept = [name for name in job.names() if not name.startswith("202") or name < "2022"]
    wanted = ["20210103T000000Z.json.zst", "notes of mine"]
    problems = [f"status {answer.returncode}: {answer.stderr}"] * (answer.returncode != 0)
    return problems + [f"{kept} was kept, not {wanted}"] * (kept != wanted)


def newest_problems(program: Path, dump, folder: Path) -> list[str]:
    """However little there may be, the last snapshot stays."""
    job = Job(program, dump, folder)
    answer = job.run(DAYS="0", MEGABYTES="0")
    return [] if answer.returncode == 0 and len(job.names()) == 1 else [f"{answer.stderr} {job.names()}"]


def failure_problems(program: Path, dump, folder: Path) -> list[str]:
    """One line, and the status of what failed; what is there stays."""
    job = Job(program, dump, folder)
    job.add_old("20210103T000000Z.json.zst", 0.4)
    (folder / "link").symlink_to("series")
    problems = []
    for settings, status in (({"OPTIONS": "-c /no/such/dump"}, 3), ({"SERIES": str(folder / "link")}, 3),
                             ({"DAYS": "x; rm -rf /"}, 3), ({"DEPTH": "sideways"}, 2)):
        answer = job.run(**settings)
        if answer.returncode != status or len(answer.stderr.splitlines()) != 1:
            problems.append(f"{settings}: status {answer.returncode}: {answer.stderr}")
    return problems + [f"there is {job.names()}"] * (job.names() != ["20210103T000000Z.json.zst"])


def run_all(program: Path, checks: Checks) -> None:
    (dump,) = lab_dumps.get("shadow", "6.1", "elf")
    for test in (series_problems, retention_problems, newest_problems, failure_problems):
        with tempfile.TemporaryDirectory(prefix="kvmscope-") as folder:
            checks.check("cron", test(program.resolve(), dump, Path(folder)), test.__name__.split("_", maxsplit=1)[0])


if __name__ == "__main__":
    sys.exit(run_alone(run_all, __doc__))
