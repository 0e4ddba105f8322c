"""The backend over Debian's drgn: its types, its symbols, its way to memory. Opens the dumps of 6.1 with paging."""

import warnings
from pathlib import Path

import drgn

from lab.oracle import debug_files
from lab.oracle.backend import Fault, Field


class DrgnBackend:
    """Wraps one drgn.Program."""

    def __init__(self, dump: Path, debug: Path):
        self.program = drgn.Program()
        self.program.set_core_dump(str(dump))
        self.release = self.release_of_dump()
        files = debug_files.find(debug, self.release)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.program.load_debug_info([str(files.vmlinux), str(files.kvm), str(files.kvm_amd)])

    def release_of_dump(self) -> str:
        return self.program["UTS_RELEASE"].string_().decode()

    def read(self, address: int, size: int) -> bytes:
        try:
            return self.program.read(address, size)
        except drgn.FaultError as error:
            raise Fault(str(error)) from error

    def read_physical(self, address: int, size: int) -> bytes:
        try:
            return self.program.read(address, size, physical=True)
        except drgn.FaultError as error:
            raise Fault(str(error)) from error

    def symbol(self, name: str) -> int | None:
        try:
            return self.program.variable(name).address_
        except LookupError:
            return None

    def field(self, path: str) -> Field | None:
        name, *words = path.split(".")
        kind = self.type_of(name)
        offset, bits, bit_size = 0, 0, 0
        for word in words:
            try:
                member = underlying(kind).member(word)
            except LookupError:
                return None
            offset += member.offset if member.bit_field_size is None else member.bit_offset // 8
            bits, bit_size = member.bit_offset % 8, member.bit_field_size or 0
            kind = member.type
        size = (bits + bit_size + 7) // 8 if bit_size else size_of_type(kind)
        return Field(offset, size, bits, bit_size)

    def size_of(self, name: str) -> int:
        return drgn.sizeof(self.type_of(name))

    def type_of(self, name: str) -> drgn.Type:
        for kind in ("struct", "union"):
            try:
                return self.program.type(f"{kind} {name}")
            except LookupError:
                continue
        raise Fault(f"no debug info of {name}")


def underlying(kind: drgn.Type) -> drgn.Type:
    while kind.kind == drgn.TypeKind.TYPEDEF:
        kind = kind.type
    return kind


def size_of_type(kind: drgn.Type) -> int:
    """0 for a flexible array member."""
    try:
        return drgn.sizeof(kind)
    except TypeError:
        return 0
