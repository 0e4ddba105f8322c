"""The lab's cache: where things are kept, one maker at a time, nothing half made."""

import contextlib
import fcntl
import os
import shutil
import sys
import time
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kvmscope"


class LabError(Exception):
    """Something the user can read and act on."""


@contextlib.contextmanager
def step(text):
    """Tells on standard error what is being done, and how long it took."""
    print(f"lab: {text} ...", file=sys.stderr, flush=True)
    start = time.monotonic()
    yield
    print(f"lab: {text}: {time.monotonic() - start:.1f} s", file=sys.stderr, flush=True)


@contextlib.contextmanager
def lock(name):
    """Held by one run at a time, and let go of by the kernel should the run die."""
    folder = CACHE / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / name, "w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with step(f"waiting for {name}, which is being made"):
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def new_folder(final):
    """Gives an empty folder that takes the place of `final` only if the block succeeds.

    The caller holds the lock of `final`, so what an interrupted run left can be removed.
    """
    partial = final.with_name(final.name + ".partial")
    remove(partial)
    partial.mkdir(parents=True)
    try:
        yield partial
    except BaseException:
        remove(partial)
        raise
    old = final.with_name(final.name + ".old")
    remove(old)
    if final.exists():
        final.rename(old)
    partial.rename(final)
    remove(old)


@contextlib.contextmanager
def new_file(final):
    """Gives a path whose file becomes `final` only if the block succeeds."""
    partial = final.with_name(final.name + ".partial")
    try:
        yield partial
        partial.rename(final)
    finally:
        partial.unlink(missing_ok=True)


def remove(folder):
    """Removes a folder that need not exist."""
    shutil.rmtree(folder, ignore_errors=True)


def need_program(name):
    """The path of a program, or an error that says how to get it."""
    path = shutil.which(name)
    if not path:
        raise LabError(f"there is no program {name}: run scripts/packages lab")
    return path
