#!/usr/bin/python3
"""Compares what kvmscope says of a dump with the oracle, field by field."""

import argparse
import importlib.util
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import floors, product  # pylint: disable=wrong-import-position
from lab.checks import Checks  # pylint: disable=wrong-import-position
from lab.oracle.commands import COMMANDS, open_kernel  # pylint: disable=wrong-import-position
from lab.oracle.debug_files import find  # pylint: disable=wrong-import-position
from lab.oracle.trees import tree_lines  # pylint: disable=wrong-import-position

# The product's order of the TDP MMU's pages is its own choice.
SORTED = {"pages --tdp": lambda record: (record["vm"], record["tdp_mmu"], record["sp"])}

# Debian's drgn knows no newer layout of modules.
DRGN_KERNELS = ("6.1",)


def sorted_if_free(command: str, records: list[dict]) -> list[dict]:
    return sorted(records, key=SORTED[command]) if command in SORTED else records


def differences(expected: list[dict], found: list[dict]) -> list[str]:
    """One line for each field that differs, in words."""
    result = []
    if len(expected) != len(found):
        result.append(f"{len(found)} records, not {len(expected)}")
    for number, (wanted, given) in enumerate(zip(expected, found)):
        for key, value in wanted.items():
            if key not in given:
                result.append(f"record {number} ({label(wanted)}) has no {key}")
            elif json.dumps(given[key]) != json.dumps(value):  # which tells 0 from false
                result.append(f"record {number} ({label(wanted)}) {key}: {given[key]!r}, not {value!r}")
        if given.get("notes"):
            result.append(f"record {number} ({label(wanted)}) has notes: {given['notes']}")
    return result


def line_differences(expected: dict[str, list[dict]], found: list[list[dict]]) -> list[str]:
    """Of whole answers, by command line."""
    return [f"{line}: {problem}" for (line, wanted), given in zip(expected.items(), found)
            for problem in differences(wanted, given)]


def label(record: dict) -> str:
    keys = [key for key in ("vm", "vcpu", "name", "sp", "level", "index", "id", "batch") if record.get(key) is not None]
    return " ".join(f"{key} {record[key]}" for key in keys)


class Comparison:
    """The checks on one dump."""

    def __init__(self, options: argparse.Namespace, checks: Checks):
        self.options = options
        self.checks = checks
        self.title = f"{options.scenario} {options.kernel}"
        kernel = open_kernel("own", options.dump, options.debug)
        self.release = kernel.backend.release
        self.expected = {command: records_of(kernel) for command, records_of in COMMANDS.items()}
        self.lines = tree_lines(kernel)

    def run(self) -> None:
        self.with_drgn()
        for name, problems in [*floors.below_floor(self.options.scenario, self.expected),
                               *floors.below_tree_floor(self.options.scenario, self.lines)]:
            self.checks.check(f"{self.title} floor", problems, name)
        dump, debug = self.options.dump, self.options.debug
        self.product("ELF", dump, debug)
        with product.folder_of(*find(debug, self.release).kvm.parent.glob("kvm*.ko")) as modules:
            self.product("ELF, without vmlinux", dump, modules)
        for other in [self.options.paging_dump] if self.options.paging_dump else []:
            self.product("ELF with paging", other, debug)
        for other in self.options.also:
            self.product(other.name, other, debug)

    def with_drgn(self) -> None:
        """The oracle's two backends must agree before it may judge others."""
        options = self.options
        if not options.paging_dump or options.kernel not in DRGN_KERNELS:
            return
        if not importlib.util.find_spec("drgn"):
            print(f"     {self.title}: no drgn here, so the oracle is not compared with it")
            return
        kernel = open_kernel("drgn", options.paging_dump, options.debug)
        for command, records_of in COMMANDS.items():
            self.checks.check(f"{self.title} oracle with drgn", differences(self.expected[command], records_of(kernel)),
                              command)
        self.check_lines("oracle with drgn", list(tree_lines(kernel).values()))

    def check_lines(self, name: str, found: list[list[dict]], problems: list[str] | None = None) -> None:
        """`found` in the order of the lines."""
        remark = f"tree and path, {len(self.lines)} lines, {sum(map(len, self.lines.values()))} records"
        self.checks.check(f"{self.title} {name}", problems or line_differences(self.lines, found), remark)

    def product(self, name: str, dump: Path, debug: Path) -> None:
        for command, expected in self.expected.items():
            found, problems = product.records(self.options.kvmscope, dump, debug, command)
            if not problems:
                problems = differences(sorted_if_free(command, expected), sorted_if_free(command, found))
            self.checks.check(f"{self.title} {name}", problems, f"{command}, {len(expected)} records")
        self.check_lines(name, *product.line_records(self.options.kvmscope, dump, debug, list(self.lines)))


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kvmscope", type=Path, required=True, metavar="PROGRAM")
    parser.add_argument("--dump", type=Path, required=True, metavar="FILE", help="an ELF dump that QEMU wrote")
    parser.add_argument("--debug", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--scenario", required=True)
    parser.add_argument("--kernel", required=True, metavar="SERIES", help="6.1 or 6.12")
    parser.add_argument("--paging-dump", type=Path, metavar="FILE", help="of the same machine, with paging")
    parser.add_argument("--also", type=Path, action="append", default=[], metavar="FILE",
                        help="another dump of the same machine, in any format")
    return parser.parse_args(arguments)


def main() -> int:
    checks = Checks()
    Comparison(parse(None), checks).run()
    return checks.status()


if __name__ == "__main__":
    sys.exit(main())
