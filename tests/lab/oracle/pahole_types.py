"""Offsets of struct members, taken from the text that pahole prints."""

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from lab.oracle.backend import Fault, Field

# Asked for in one run: pahole takes longest to open the file.
NAMES = """kvm kvm_arch kvm_vcpu kvm_vcpu_arch kvm_mmu kvm_mmu_root_info kvm_mmu_page kvm_mmu_page_role kvm_rmap_head
kvm_mmu_memory_cache kvm_vm_stat kvm_vm_stat_generic kvm_vcpu_stat kvm_vcpu_stat_generic
pte_list_desc kvm_memslots kvm_memory_slot kvm_arch_memory_slot kvm_lpage_info rb_node rb_root rb_root_cached list_head hlist_head hlist_node
xarray xa_node page pid upid task_struct mm_struct css_set cgroup kernfs_node dentry qstr
module mod_kallsyms btf_module btf percpu_counter""".split()

# "<type> name[3]:4;   /*  offset: bit  size */", or with a function pointer's name in "(*name)(...)".
MEMBER = re.compile(r"^(?P<type>.*?)(?P<name>\w+)?(?P<dimensions>(\[\d*\])*)(?P<bits>:\d+)?(\s*__attribute__.*)?;"
                    r"\s*/\*\s*(?P<offset>\d+)(:\s*(?P<bit>\d+))?\s+(?P<size>\d+) \*/$")
FUNCTION = re.compile(r"\(\*(\w+)\)\(.*\)")
OPENING = re.compile(r"^(struct|union)\s*(\w*)\s*\{$")
CLOSING = re.compile(r"^\}(?P<rest>.*)$")
SIZE = re.compile(r"/\* size: (\d+)")


@dataclass
class Struct:
    """Members by name, those of unnamed members among them: (field, name of its type)."""

    size: int = 0
    members: dict[str, tuple[Field, str]] = field(default_factory=dict)


class PaholeTypes:
    """The types of some debug files: in the first one that defines a name, it counts."""

    def __init__(self, files: list[tuple[Path, str]]):
        self.structs: dict[str, Struct] = {}
        for path, form in files:
            missing = [name for name in NAMES if name not in self.structs]
            if missing:
                self.structs.update(parse(run_pahole(path, form, missing)))

    def struct(self, name: str) -> Struct:
        if name not in self.structs:
            raise Fault(f"no debug info of {name}")
        return self.structs[name]

    def field(self, path: str) -> Field | None:
        """The member that a path of names leads to."""
        name, *words = path.split(".")
        found = Field(0, self.struct(name).size)
        for word in words:
            member = self.struct(name).members.get(word)
            if not member:
                return None
            inner, name = member
            found = Field(found.offset + inner.offset, inner.size, inner.bit_offset, inner.bit_size)
        return found


def run_pahole(path: Path, form: str, names: list[str]) -> str:
    # It says "not found" of some names and ends with 1; what is missing shows when it is asked for.
    return subprocess.run(["pahole", "-F", form, "-C", ",".join(names), path], check=False,
                          capture_output=True, text=True).stdout


def parse(text: str) -> dict[str, Struct]:
    structs = {}
    depth = []  # the members of the open braces
    for line in text.splitlines():
        line = line.strip()
        if match := OPENING.match(line):
            if not depth:
                current = structs.setdefault(match[2], Struct())
            depth.append({})
        elif (match := CLOSING.match(line)) and depth:
            members = depth.pop()
            if depth:
                depth[-1].update(named_or_not(members, match["rest"]))
            else:
                current.members = members
        elif depth:
            if match := SIZE.match(line):
                current.size = int(match[1])
            depth[-1].update(member_of(line))
    return structs


def member_of(line: str) -> dict[str, tuple[Field, str]]:
    match = MEMBER.match(FUNCTION.sub(r"\1", line))
    if not match or not match["name"]:
        return {}
    words = match["type"].split()
    bits = int(match["bits"][1:]) if match["bits"] else 0
    where = Field(int(match["offset"]), int(match["size"]), int(match["bit"] or 0), bits)
    return {match["name"]: (where, words[-1] if words else "")}


def named_or_not(members: dict, rest: str) -> dict:
    """Offsets inside braces count from the outermost struct, so those of unnamed members stand as they are.
    What lies in a named one is not used here: it keeps its place, and its members are dropped."""
    return member_of("}" + rest) or members
