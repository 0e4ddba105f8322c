#!/usr/bin/python3
"""Types what --drgn prints into drgn and crash: both must find the same objects, of the same type and contents."""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import drgn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import lab_dumps, product  # pylint: disable=wrong-import-position
from lab.checks import Checks, run_alone  # pylint: disable=wrong-import-position

SCENARIOS = ("shadow", "tdp")
SERIES = "6.1"  # Debian's drgn and crash know no newer layout of modules
FORMAT = "kdump-zlib"  # drgn needs paging in an ELF dump
CRASH_SECONDS = 120
MARK = "kvmscope-object"

# What a record says of the object that it names: command, field of the object, member, field that holds the same.
SAME = (("vms", "kvm", "userspace_pid", "userspace_pid"), ("vms", "kvm", "arch.n_used_mmu_pages", "mmu_pages_used"),
        ("vcpus", "kvm_vcpu", "vcpu_id", "vcpu"), ("roots", "kvm_vcpu", "vcpu_id", "vcpu"), ("roots", "sp", "gfn", "gfn"),
        ("slots", "memslot", "base_gfn", "base_gfn"), ("slots", "memslot", "npages", "npages"),
        ("pages", "sp", "gfn", "gfn"), ("pages", "sp", "role.word", "role"), ("parents", "sp", "gfn", "gfn"),
        ("translate", "memslot", "id", "slot"))


@dataclass(frozen=True)
class Named:
    """An object that a record of a command names."""

    line: str
    record: dict
    field: str
    type: str | None
    address: int
    drgn: str
    crash: str

    def __str__(self) -> str:
        return f"{self.line}, {self.field}: {self.drgn}"


class Handover:
    """The checks on one dump."""

    def __init__(self, program: Path, dump: Path, debug: Path):
        self.program, self.dump, self.debug = program, dump, debug
        self.prog = drgn.Program()
        self.prog.set_core_dump(dump)
        release = self.prog["UTS_RELEASE"].string_().decode()
        self.vmlinux = debug / "boot" / f"vmlinux-{release}"
        self.modules = debug / "lib" / "modules" / release / "kernel/arch/x86/kvm"
        self.prog.load_debug_info([self.vmlinux, *self.modules.glob("kvm*.ko*")])

    def records(self, lines: list[str]) -> list[list[dict]]:
        found, problems = product.line_records(self.program, self.dump, self.debug, lines)
        if problems:
            raise RuntimeError("; ".join(problems))
        return found

    def lines(self) -> list[str]:
        """Commands that show an object of each kind."""
        roots, pages = self.records(["roots 0", "pages 0 --tdp"])
        root = next(one for one in roots if one["valid"])
        leaf = next(one for one in self.records([f"tree {root['name']}"])[0] if one["kind"] == "leaf")
        gfn = f"gfn:{leaf['gfn']}" if leaf["domain"] == "gpa" else f"gfn:{self.records(['rmap 0'])[0][0]['gfn']}"
        return ["vms", "vcpus", "roots", "pages --tdp", "slots", f"tree {root['name']}",
                f"path {root['name']} {leaf['address']}", "unsync", "levels", "counts", "rmap 0", "stats 0",
                f"parents {pages[0]['sp']}", f"spte {leaf['spte_address']}", f"translate 0 {gfn}",
                f"why 0 {root['vcpu']} {gfn}", "huge 0", "guest 0 regs", "print vm_list", "print kvm_x86_ops.vcpu_create",
                f"print *(struct kvm_mmu_page *){pages[0]['sp']}", "list kvm vm_list vm_list"]

    def named(self, lines: list[str]) -> list[Named]:
        records = self.records(lines)
        found = self.records([f"{line} --drgn" for line in lines])
        return [Named(line, of_line[one["record"]], one["field"], one["type"], int(one["address"], 16), one["drgn"], one["crash"])
                for line, of_line, objects in zip(lines, records, found) for one in objects]

    def in_drgn(self, named: Named) -> list[str]:
        value = eval(named.drgn, {"prog": self.prog, "Object": drgn.Object})  # pylint: disable=eval-used
        if named.type is None:
            return [] if isinstance(value, int) else ["no number"]
        if value.type_.kind is drgn.TypeKind.POINTER and value.address_ is None:
            if value.value_() != named.address or value.type_.type_name() != f"{named.type} *":
                return [f"it is ({value.type_.type_name()}){value.value_():#x}"]
            value[0].read_()
            return self.different_members(named, value)
        if value.address_ != named.address:
            return [f"it is at {value.address_:#x}"]
        content = value.value_()
        if named.field == "spte_address" and "spte" in named.record and content != number(named.record["spte"]):
            return [f"the entry is {content:#x}, not {named.record['spte']}"]
        return []

    @staticmethod
    def different_members(named: Named, value: drgn.Object) -> list[str]:
        problems = []
        for command, field, path, key in SAME:
            if named.field != field or named.line.split()[0] != command:
                continue
            member = value
            for name in path.split("."):
                member = member.member_(name)
            if member.value_() != number(named.record[key]):
                problems.append(f"{path} is {member.value_()}, not {named.record[key]}")
        return problems

    def check_drgn(self, objects: list[Named]) -> list[str]:
        problems = []
        for named in objects:
            try:
                problems += [f"{named}: {problem}" for problem in self.in_drgn(named)]
            except (LookupError, SyntaxError, drgn.FaultError, TypeError, ValueError) as error:
                problems.append(f"{named}: {error}")
        return problems

    def check_crash(self, objects: list[Named]) -> list[str]:
        """One object for each type, which crash must show without an error."""
        chosen = list({named.type: named for named in objects}.values())
        lines = [f"mod -s kvm {next(self.modules.glob('kvm.ko*'))}"]
        for named in chosen:
            lines += [f"!echo {MARK}", named.crash]
        with tempfile.NamedTemporaryFile("w", suffix=".crash") as script:
            script.write("\n".join([*lines, "quit", ""]))
            script.flush()
            done = subprocess.run(["crash", "-s", "-i", script.name, self.vmlinux, self.dump], stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, errors="replace", timeout=CRASH_SECONDS, check=False)
        answers = done.stdout.split(MARK)[1:]
        if len(answers) != len(chosen):
            return [f"crash gave {len(answers)} answers to {len(chosen)} commands", *done.stderr.splitlines()]
        return [f"{named.crash}: crash says {answer.strip()[:80]!r}" for named, answer in zip(chosen, answers)
                if not answer.strip().startswith(beginning(named))]


def beginning(named: Named) -> str:
    """What crash's answer begins with."""
    if named.type is None:
        return f"{named.address:x}:"
    return f"{named.type} {{" if named.crash.startswith(named.type) else "$"


def number(value) -> int | None:
    return int(value, 16) if isinstance(value, str) else value


def run_all(program: Path, checks: Checks) -> None:
    for scenario in SCENARIOS:
        dump, = lab_dumps.get(scenario, SERIES, FORMAT)
        handover = Handover(program, dump.path, dump.debug)
        lines = handover.lines()
        objects = handover.named(lines)
        silent = [f"{line} names no object" for line in lines
                  if not any(named.line == line for named in objects) and (line != "unsync" or scenario == "shadow")]
        checks.check(f"{scenario} {SERIES} --drgn in drgn", silent + handover.check_drgn(objects),
                     f"{len(objects)} objects of {len({named.type for named in objects})} types from {len(lines)} lines")
        if scenario == SCENARIOS[0]:
            checks.check(f"{scenario} {SERIES} --drgn in crash", handover.check_crash(objects), "an object of each type")


if __name__ == "__main__":
    sys.exit(run_alone(run_all, __doc__))
