#!/usr/bin/python3
"""Tests kvmscope on live kernels: in machines with guests that rest, and with guests that never do."""

import argparse
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parents[1])]

import kernels  # noqa: E402  pylint: disable=wrong-import-position
import live_machine  # noqa: E402  pylint: disable=wrong-import-position
from inside import Bench  # noqa: E402  pylint: disable=wrong-import-position
from lab.checks import Checks  # noqa: E402  pylint: disable=wrong-import-position
from store import LabError  # noqa: E402  pylint: disable=wrong-import-position

# The module of each, in this order; each leaves the machine as it found it, but for those that spoil it.
PARTS = {
    "idle": "idle_test",
    "btf": "btf_test",
    "watch-roots": "watch_roots_test",
    "mid-walk": "mid_walk_test",
    "load": "load_test",
    "packs": "packs_test",
    "counts": "counts_test",
    "footprint": "footprint_test",
    "trace-load": "trace_load_test",
    "trace-rate": "trace_rate_test",
    "trace-unsync": "trace_unsync_test",
    "trace-at": "trace_at_test",
    "trace-ends": "trace_ends_test",
    "bad-trace": "bad_trace_test",
    "lua": "lua_test",
    "cron": "cron_test",
    "memory": "memory_test",
    "bad-host": "bad_host_test",
}
# They lock their kernel down, which nobody can undo: what follows gets another machine.
SPOILING = ("bad-trace", "bad-host")


class SharedChecks(Checks):
    """Checks that several machines add to at a time."""

    lock = threading.Lock()

    def check(self, name, problems, remark=""):
        with self.lock:
            return super().check(name, problems, remark)


def test_kernel(options, series, parts, checks):
    """Runs the parts in one machine, or several; a part that breaks it costs its own checks only."""
    kernel = kernels.resolve(series)
    other = kernels.resolve(next(name for name in kernels.SERIES if name != series))
    parts = list(parts)
    while parts:
        part = "boot"
        try:
            with live_machine.boot(kernel, options.kvmscope, other_build=other) as live:
                while parts and part not in SPOILING:
                    part = parts.pop(0)
                    import_module(PARTS[part]).run(Bench(live, options.kvmscope, checks, series, options.long))
        except LabError as error:
            checks.check(f"live {series} {part}", str(error).splitlines())
            if part == "boot":
                return


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kvmscope", type=Path, required=True, metavar="PROGRAM")
    parser.add_argument("--kernel", choices=kernels.SERIES, action="append", help="both without it; repeatable")
    parser.add_argument("--part", choices=PARTS, action="append", help="all without it; repeatable")
    parser.add_argument("--long", action="store_true", help="a load of ten minutes instead of one")
    options = parser.parse_args()
    checks = SharedChecks()
    series = options.kernel or kernels.SERIES
    # A machine is one thread: two of them fill two processors.
    with ThreadPoolExecutor(len(series)) as pool:
        jobs = [pool.submit(test_kernel, options, name, options.part or PARTS, checks) for name in series]
        for job in jobs:
            job.result()
    return checks.status()


if __name__ == "__main__":
    sys.exit(main())
