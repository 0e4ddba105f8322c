"""Runs the cases of bad_trace.toml as bad_host_test.py does."""

from pathlib import Path

import bad_host_test

TABLE = Path(__file__).with_name("bad_trace.toml")


def run(bench):
    bad_host_test.run_table(bench, TABLE)
