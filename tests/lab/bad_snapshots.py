"""Makes the files and folders of bad_input/snapshots.toml: damaged snapshots, and places that cannot be written."""

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from lab import product
from lab.lab_dumps import LabDump

HUGE = 10 << 30
DISK = "16k"  # holds an old snapshot and no new one


def good(program: Path, dump: LabDump, path: Path) -> bytes:
    answer = product.run(program, ["-c", dump.path, "-s", dump.debug, "snapshot", "--depth", "pages", "-o", path])
    if answer.status != 0:
        raise RuntimeError(f"no snapshot: {answer.how_it_ended()} {answer.errors}")
    return path.read_bytes()


def of_another_host(text: bytes) -> bytes:
    document = json.loads(text)
    document["host"]["name"] = "another\x1b[31m\n"
    return json.dumps(document).encode()


# A snapshot's text -> another text, by recipe.
TEXTS = {
    "good": lambda text: text,
    "other-version": lambda text: text.replace(b"kvmscope.snapshot/1", b"kvmscope.snapshot/2", 1),
    "cut": lambda text: text[:len(text) // 2],
    "no-json": lambda text: text.replace(b'"vms"', b"vms", 1),
    "a-text": lambda _: b"This is no snapshot of anything.\n",
    "empty": lambda _: b"",
    "other-host": of_another_host,
    "other-records": lambda _: b'[{"vm": 0}]',
}


@contextlib.contextmanager
def disk(folder: Path, options: str) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@contextlib.contextmanager
def made(recipe: str, program: Path, dump: LabDump, folder: Path) -> Iterator[dict[str, Path]]:
    """What stands for {good}, {bad} and {place} in a case's command line, while the case runs."""
    paths = {"{good}": folder / "good.json", "{bad}": folder / "bad.json", "{place}": folder / "place"}
    text = good(program, dump, paths["{good}"])
    place = paths["{place}"]
    with contextlib.ExitStack() as stack:
        if recipe in TEXTS:
            paths["{bad}"].write_bytes(TEXTS[recipe](text))
        elif recipe == "huge":
            with open(paths["{bad}"], "wb") as file:
                file.write(text)
                file.truncate(HUGE)
        elif recipe == "cut-zstd":
            good(program, dump, folder / "whole.zst")
            os.truncate(folder / "whole.zst", 3000)
            paths["{bad}"] = folder / "whole.zst"
        elif recipe == "link":
            (folder / "elsewhere").mkdir()
            place.symlink_to("elsewhere")
        elif recipe == "link-of-file":
            place.mkdir()
            (place / "now.json").symlink_to(paths["{good}"])
        elif recipe in ("full", "read-only"):
            place.mkdir()
            if recipe == "full":
                stack.enter_context(disk(place, f"size={DISK}"))
                (place / "now.json").write_text("old")
            else:
                stack.enter_context(disk(place, "ro"))
        yield paths


def problems(recipe: str, paths: dict[str, Path]) -> list[str]:
    """What is wrong with the files once the case has run."""
    place = paths["{place}"]
    if recipe == "full" and ((place / "now.json").read_text() != "old" or len(list(place.iterdir())) != 1):
        return [f"on the full disk there is {[file.name for file in place.iterdir()]}"]
    if recipe == "link" and list(place.iterdir()):
        return ["something was written where the link leads"]
    if recipe == "link-of-file" and not (place / "now.json").is_symlink():
        return ["the link was replaced"]
    return []
