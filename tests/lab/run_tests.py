#!/usr/bin/python3
"""Tests kvmscope on the lab's dumps: tests the oracle, compares kvmscope with it, feeds it bad input.

The parts share nothing but the dumps, so as many run at a time as there are processors; what a part says is printed when
it has ended."""

import argparse
import concurrent.futures
import contextlib
import io
import os
import sys
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import audit_test, bad_input_test, btf_test, cases_test, cron_test, debuginfod_test, excluded_test, guest_test, handover_test  # pylint: disable=wrong-import-position
from lab import lab_dumps, lua_test, mmu_test, nested_test, oracle_test, packs_test, privileges_test, series_test, slots_test, snapshot_test  # pylint: disable=wrong-import-position
from lab.checks import Checks  # pylint: disable=wrong-import-position
from lab.compare_test import Comparison, parse  # pylint: disable=wrong-import-position

SCENARIOS = ("shadow", "tdp", "la57")
KERNELS = ("6.1", "6.12")
QUICK = (("shadow", "6.1"),)

# Besides the ELF dump: with paging; made by makedumpfile, without zero and free pages.
OTHERS = ("kdump-zlib", "kdump-lzo-d17", "elf-d17")


# The longest first, so that none is left alone at the end.
PARTS = (mmu_test.run_others, bad_input_test.run_all, handover_test.run_all, cases_test.run_all, audit_test.run,
         guest_test.run_all, slots_test.run_all, nested_test.run_all, excluded_test.run, debuginfod_test.run,
         btf_test.run_all, packs_test.run_all, privileges_test.run_all, snapshot_test.run_all, series_test.run_all,
         lua_test.run_all, cron_test.run_all)


def compare(program: Path, checks: Checks, scenario: str, series: str) -> None:
    elf, paging, *others = lab_dumps.get(scenario, series, "elf", "paging", *OTHERS)
    oracle_test.run(f"{scenario} {series}", elf.path, elf.debug, checks)
    mmu_test.run(program, elf.path, elf.debug, checks)
    arguments = ["--kvmscope", program, "--dump", elf.path, "--paging-dump", paging.path, "--debug", elf.debug,
                 "--scenario", scenario, "--kernel", series]
    for other in others:
        arguments += ["--also", other.path]
    Comparison(parse(list(map(str, arguments))), checks).run()


def run_part(part, *arguments) -> tuple[str, Checks]:
    """What it printed and found. One that ends in an exception has failed; the others go on."""
    checks, output = Checks(), io.StringIO()
    with contextlib.redirect_stdout(output):
        try:
            part(arguments[0], checks, *arguments[1:])
        except Exception:  # pylint: disable=broad-exception-caught
            checks.check(f"{part.__module__} {' '.join(map(str, arguments[1:]))}", traceback.format_exc().splitlines())
    return output.getvalue(), checks


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kvmscope", type=Path, required=True, metavar="PROGRAM")
    parser.add_argument("--quick", action="store_true", help="only the shadow scenario on 6.1, no bad input")
    options = parser.parse_args()
    compared = [(compare, options.kvmscope, *one) for one in
                (QUICK if options.quick else [(name, series) for name in SCENARIOS for series in KERNELS])]
    parts = [] if options.quick else [(part, options.kvmscope) for part in PARTS]
    found = Checks()
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool:
        for job in concurrent.futures.as_completed([pool.submit(run_part, *part) for part in parts + compared]):
            output, checks = job.result()
            print(output, end="", flush=True)
            found.add(checks)
    return found.status()


if __name__ == "__main__":
    sys.exit(main())
