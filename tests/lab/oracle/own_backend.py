"""The backend that does everything itself: pahole for offsets, nm and the module's kallsyms for symbols."""

import struct
import subprocess
from pathlib import Path

from lab.oracle import debug_files
from lab.oracle.backend import Fault, Field
from lab.oracle.core_file import CoreFile
from lab.oracle.host_memory import HostMemory
from lab.oracle.pahole_types import PaholeTypes

KERNEL_TEXT = 0xFFFFFFFF80000000
ELF_SYMBOL = struct.Struct("<IBBHQQ")
MODULES_MAX = 1000
NAMES_MAX = 16 << 20


class OwnBackend:
    """Needs a VMCOREINFO note in the dump."""

    def __init__(self, dump: Path, debug: Path, overlay: str = ""):
        self.core = CoreFile(dump, overlay)
        info = self.core.vmcoreinfo
        if not info:
            raise Fault(f"{dump} has no VMCOREINFO")
        self.release = info["OSRELEASE"]
        files = debug_files.find(debug, self.release)
        top_table = int(info["SYMBOL(swapper_pg_dir)"], 16) - KERNEL_TEXT + int(info["NUMBER(phys_base)"])
        levels = 5 if int(info.get("NUMBER(pgtable_l5_enabled)", "0")) else 4
        self.memory = HostMemory(self.core, top_table, levels)
        self.types = PaholeTypes([(files.kvm, "dwarf"), (files.vmlinux, "btf")])
        self.vmlinux_symbols = nm(files.vmlinux, int(info["KERNELOFFSET"], 16))
        self.module_symbols: dict[str, int] = {}
        for name in ("kvm_amd", "kvm"):
            if module := self.module(name):
                self.module_symbols.update(self.kallsyms(module))

    def read(self, address: int, size: int) -> bytes:
        return self.memory.read(address, size)

    def read_physical(self, address: int, size: int) -> bytes:
        return self.core.read(address, size)

    def physical(self, address: int) -> int:
        return self.memory.physical(address)

    def symbol(self, name: str) -> int | None:
        return self.module_symbols.get(name, self.vmlinux_symbols.get(name))

    def field(self, path: str) -> Field | None:
        return self.types.field(path)

    def size_of(self, name: str) -> int:
        return self.types.struct(name).size

    def number(self, address: int, path: str) -> int:
        field = self.field(path)
        return int.from_bytes(self.read(address + field.offset, field.size), "little")

    def module(self, wanted: str) -> int | None:
        """The struct module of that name."""
        head = self.vmlinux_symbols["modules"]
        link = self.number(head, "list_head.next")
        for _ in range(MODULES_MAX):
            if link == head:
                return None
            module = link - self.field("module.list").offset
            name = self.read(module + self.field("module.name").offset, 56)
            if name.split(b"\0")[0].decode() == wanted:
                return module
            link = self.number(link, "list_head.next")
        raise Fault("the list of modules does not end")

    def kallsyms(self, module: int) -> dict[str, int]:
        table = self.number(module, "module.kallsyms")
        count = self.number(table, "mod_kallsyms.num_symtab")
        symbols = self.read(self.number(table, "mod_kallsyms.symtab"), count * ELF_SYMBOL.size)
        entries = list(ELF_SYMBOL.iter_unpack(symbols))
        strings = self.number(table, "mod_kallsyms.strtab")
        names = self.text_pages(strings, max(entry[0] for entry in entries))
        return {names[entry[0]:names.index(b"\0", entry[0])].decode(): entry[4] for entry in entries}

    def text_pages(self, start: int, last: int) -> bytes:
        """The string table up to the end of the string at `last`."""
        if last > NAMES_MAX:
            raise Fault(f"a symbol's name at {last:#x} of the string table")
        names = self.read(start, last + 1)
        while b"\0" not in names[last:]:
            names += self.read(start + len(names), 1)
        return names


def nm(path: Path, slide: int) -> dict[str, int]:
    output = subprocess.run(["nm", path], check=True, capture_output=True, text=True).stdout
    lines = (line.split() for line in output.splitlines())
    return {words[2]: int(words[0], 16) + slide for words in lines if len(words) == 3 and words[1] not in "aA"}
