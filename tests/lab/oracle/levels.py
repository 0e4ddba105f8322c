"""The records of `levels`: what each root's tree holds, counted by path."""

from lab.oracle.kernel import Kernel
from lab.oracle.roots import PAE_ENTRIES, PAE_PRESENT, Slot, distinct_roots
from lab.oracle.shadow_pages import FRAME, is_leaf, is_present

PAGE = 4096

# By level of the entries: (tables, leaves).
Counts = dict[int, tuple[int, int]]


class LevelCounter:
    """Counts the trees of one kernel; a table that several parents share is read once."""

    def __init__(self, kernel: Kernel):
        self.kernel = kernel
        self.known: dict[tuple[int, int], Counts] = {}

    def root(self, slot: Slot) -> Counts:
        if slot.page is not None:
            return self.table(slot.hpa & FRAME, slot.level)
        entries = self.kernel.table(self.kernel.direct(slot.hpa & FRAME))[:PAE_ENTRIES]
        return self.sum_of(slot.level, [entry & FRAME for entry in entries if entry & PAE_PRESENT], 0)

    def table(self, physical: int, level: int) -> Counts:
        key = physical, level
        if key not in self.known:
            present = [spte for spte in self.kernel.table(self.kernel.direct(physical)) if is_present(spte)]
            below = [spte & FRAME for spte in present if not is_leaf(spte, level)]
            self.known[key] = self.sum_of(level, below, len(present) - len(below))
        return self.known[key]

    def sum_of(self, level: int, tables: list[int], leaves: int) -> Counts:
        counts = {level: (len(tables), leaves)}
        for table in tables:
            for lower, (more_tables, more_leaves) in self.table(table, level - 1).items():
                old_tables, old_leaves = counts.get(lower, (0, 0))
                counts[lower] = (old_tables + more_tables, old_leaves + more_leaves)
        return counts


def level_records(kernel: Kernel) -> list[dict]:
    counter = LevelCounter(kernel)
    return [record for slot in distinct_roots(kernel) for record in root_levels(counter, slot)]


def root_levels(counter: LevelCounter, slot: Slot):
    for level, (tables, leaves) in sorted(counter.root(slot).items(), reverse=True):
        if level == slot.level or tables or leaves:
            yield {
                "vm": slot.vm,
                "root_sp": hex(slot.page) if slot.page else None,
                "name": slot.name,
                "level": level,
                "tables": tables,
                "leaves": leaves,
                "bytes": leaves * PAGE * 512 ** (level - 1),
            }
