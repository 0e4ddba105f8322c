"""Reads a QEMU ELF vmcore by physical address, and its VMCOREINFO note. Trusts p_paddr only: p_vaddr may be 0."""

import mmap
import struct
from bisect import bisect_right
from pathlib import Path

from lab.oracle.backend import Fault

PT_LOAD = 1
PT_NOTE = 4


class CoreFile:
    """The physical memory in an ELF64 core. An overlay's lines "PHYSICAL-ADDRESS HEXBYTES" count instead of it."""

    def __init__(self, path: Path, overlay: str = ""):
        self.path = path
        lines = (line.split() for line in overlay.splitlines())
        self.changes = [(int(address, 16), bytes.fromhex(data)) for address, data in lines]
        with open(path, "rb") as file:
            self.bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if self.bytes[:5] != b"\x7fELF\x02":
            raise Fault(f"{path}: not an ELF64 file")
        headers = list(self.program_headers())
        self.ranges = merged((paddr, paddr + filesz, offset)
                             for kind, offset, paddr, filesz in headers if kind == PT_LOAD)
        self.starts = [start for start, _, _ in self.ranges]
        notes = [note for kind, offset, _, filesz in headers if kind == PT_NOTE
                 for note in self.notes(offset, filesz)]
        text = next((data for name, data in notes if name == b"VMCOREINFO"), b"")
        self.vmcoreinfo = dict(line.split("=", 1) for line in text.decode().splitlines() if "=" in line)

    def program_headers(self):
        """(type, offset, physical address, bytes in the file) of each."""
        (table,) = struct.unpack_from("<Q", self.bytes, 32)
        size, count = struct.unpack_from("<2H", self.bytes, 54)
        if count == 0xFFFF:  # the real number is in the first section header
            (sections,) = struct.unpack_from("<Q", self.bytes, 40)
            (count,) = struct.unpack_from("<I", self.bytes, sections + 44)
        for i in range(count):
            kind, _, offset, _, paddr, filesz = struct.unpack_from("<2I4Q", self.bytes, table + i * size)
            yield kind, offset, paddr, filesz

    def notes(self, offset: int, size: int):
        """(name, data) of each note in a PT_NOTE segment."""
        end = offset + size
        while offset + 12 <= end:
            name_size, data_size, _ = struct.unpack_from("<3I", self.bytes, offset)
            name = offset + 12
            data = name + align4(name_size)
            yield self.bytes[name:name + name_size].rstrip(b"\0"), self.bytes[data:data + data_size]
            offset = data + align4(data_size)

    def offset_of(self, address: int) -> tuple[int, int]:
        """Where a physical address is in the file, and how many bytes follow there without a gap."""
        at = bisect_right(self.starts, address) - 1
        if at >= 0:
            start, end, offset = self.ranges[at]
            if address < end:
                return offset + address - start, end - address
        raise Fault(f"physical address {address:#x} is not in the dump")

    def has(self, address: int) -> bool:
        try:
            self.offset_of(address)
        except Fault:
            return False
        return True

    def read(self, address: int, size: int) -> bytes:
        parts = []
        at, left = address, size
        while left > 0:
            offset, available = self.offset_of(at)
            count = min(left, available)
            parts.append(self.bytes[offset:offset + count])
            at += count
            left -= count
        return self.changed(address, b"".join(parts))

    def changed(self, start: int, data: bytes) -> bytes:
        """What is read at `start`, with the overlay."""
        for address, new in self.changes:
            first, end = max(start, address), min(start + len(data), address + len(new))
            if first < end:
                data = data[:first - start] + new[first - address:end - address] + data[end - start:]
        return data


def align4(size: int) -> int:
    return (size + 3) & ~3


def merged(ranges) -> list[tuple[int, int, int]]:
    """Ranges without overlap: a dump with paging has the same memory once per mapping."""
    result = []
    covered = 0
    for start, end, offset in sorted(ranges):
        skipped = max(0, covered - start)
        if start + skipped < end:
            result.append((start + skipped, end, offset + skipped))
            covered = end
    return result
