#!/usr/bin/python3
"""Tests kvmscope on the lab's dumps: tests the oracle, compares kvmscope with it, then feeds it bad input."""

import argparse
import sys
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


def compare(program: Path, scenario: str, series: str, checks: Checks) -> None:
    elf, paging, *others = lab_dumps.get(scenario, series, "elf", "paging", *OTHERS)
    oracle_test.run(f"{scenario} {series}", elf.path, elf.debug, checks)
    mmu_test.run(program, elf.path, elf.debug, checks)
    arguments = ["--kvmscope", program, "--dump", elf.path, "--paging-dump", paging.path, "--debug", elf.debug,
                 "--scenario", scenario, "--kernel", series]
    for other in others:
        arguments += ["--also", other.path]
    Comparison(parse(list(map(str, arguments))), checks).run()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kvmscope", type=Path, required=True, metavar="PROGRAM")
    parser.add_argument("--quick", action="store_true", help="only the shadow scenario on 6.1, no bad input")
    options = parser.parse_args()
    checks = Checks()
    for scenario, series in QUICK if options.quick else [(name, series) for name in SCENARIOS for series in KERNELS]:
        compare(options.kvmscope, scenario, series, checks)
    if not options.quick:
        guest_test.run_all(options.kvmscope, checks)
        cases_test.run_all(options.kvmscope, checks)
        slots_test.run_all(options.kvmscope, checks)
        nested_test.run_all(options.kvmscope, checks)
        mmu_test.run_others(options.kvmscope, checks)
        excluded_test.run(options.kvmscope, checks)
        debuginfod_test.run(options.kvmscope, checks)
        audit_test.run(options.kvmscope, checks)
        handover_test.run_all(options.kvmscope, checks)
        btf_test.run_all(options.kvmscope, checks)
        bad_input_test.run_all(options.kvmscope, checks)
        packs_test.run_all(options.kvmscope, checks)
        privileges_test.run_all(options.kvmscope, checks)
        snapshot_test.run_all(options.kvmscope, checks)
        series_test.run_all(options.kvmscope, checks)
        lua_test.run_all(options.kvmscope, checks)
        cron_test.run_all(options.kvmscope, checks)
    return checks.status()


if __name__ == "__main__":
    sys.exit(main())
