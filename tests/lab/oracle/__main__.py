"""Prints the oracle's records as JSON: python3 tests/lab/oracle DUMP DEBUG-FOLDER COMMAND [--backend own|drgn]."""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from lab.oracle.commands import BACKENDS, COMMANDS, open_kernel  # pylint: disable=wrong-import-position


def main() -> None:
    parser = argparse.ArgumentParser(prog="oracle", description=__doc__)
    parser.add_argument("dump", type=Path)
    parser.add_argument("debug", type=Path)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--backend", choices=BACKENDS, default="own")
    options = parser.parse_args()
    kernel = open_kernel(options.backend, options.dump, options.debug)
    json.dump(COMMANDS[options.command](kernel), sys.stdout, indent=1)


main()
