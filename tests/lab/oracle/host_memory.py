"""Kernel virtual memory of a dumped x86-64 kernel: walks its own page tables, of 4 or 5 levels."""

import struct

from lab.oracle.backend import Fault
from lab.oracle.core_file import CoreFile

PAGE = 4096
PRESENT = 1
HUGE = 1 << 7
FRAME = 0x000FFFFFFFFFF000


class HostMemory:
    """Reads at kernel virtual addresses."""

    def __init__(self, core: CoreFile, top_table: int, levels: int):
        self.core = core
        self.top_table = top_table
        self.levels = levels
        self.pages: dict[int, int] = {}

    def physical(self, address: int) -> int:
        """Where a virtual address is in physical memory."""
        page = address // PAGE
        if page not in self.pages:
            self.pages[page] = self.walk(page * PAGE)
        return self.pages[page] + address % PAGE

    def walk(self, address: int) -> int:
        top_bit = 12 + 9 * self.levels - 1
        if address >> top_bit not in (0, (1 << (64 - top_bit)) - 1):
            raise Fault(f"{address:#x} is not a canonical address")
        table = self.top_table
        for level in range(self.levels, 0, -1):
            shift = 12 + 9 * (level - 1)
            index = address >> shift & 511
            (entry,) = struct.unpack("<Q", self.core.read(table + 8 * index, 8))
            if not entry & PRESENT:
                raise Fault(f"{address:#x} is not mapped: entry {index} of level {level} is {entry:#x}")
            if level == 1 or (entry & HUGE and level <= 3):
                mask = (1 << shift) - 1
                return (entry & FRAME & ~mask) | (address & mask)
            table = entry & FRAME
        raise AssertionError("level 1 always ends the walk")

    def read(self, address: int, size: int) -> bytes:
        parts = []
        while size > 0:
            count = min(size, PAGE - address % PAGE)
            parts.append(self.core.read(self.physical(address), count))
            address += count
            size -= count
        return b"".join(parts)
