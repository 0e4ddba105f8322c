"""Runs the cases of mid_walk.toml, as bad_host_test.py does its own."""

from pathlib import Path

from bad_host_test import run_table

TABLE = Path(__file__).with_name("mid_walk.toml")


def run(bench):
    run_table(bench, TABLE)
