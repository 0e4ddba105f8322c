"""promtool of Debian's prometheus package, which would start a service if it were installed: only the program is kept."""

import subprocess
from pathlib import Path

from lab import kernels
from lab.store import CACHE, LabError, lock, new_folder

FOLDER = CACHE / "tools" / "promtool"
PROGRAM = "usr/bin/promtool"


def path() -> Path:
    with lock("promtool"):
        if not (FOLDER / "files" / PROGRAM).exists():
            downloads = CACHE / "downloads"
            downloads.mkdir(parents=True, exist_ok=True)
            package = kernels.describe("prometheus")
            if "Filename" not in package:
                raise LabError("apt offers no package prometheus: run apt-get update")
            file = kernels.download(package, downloads)
            with new_folder(FOLDER) as folder:
                kernels.extract(file, [f"./{PROGRAM}"], folder / "files")
    return FOLDER / "files" / PROGRAM


def problems(metrics: str) -> list[str]:
    """What it finds wrong with a page of metrics."""
    done = subprocess.run([path(), "check", "metrics"], input=metrics, capture_output=True, text=True, check=False)
    said = (done.stdout + done.stderr).splitlines()
    return [] if done.returncode == 0 and not said else [f"status {done.returncode}", *said]
