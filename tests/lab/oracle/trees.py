"""The records of `tree` and `path`: the entries below a root, and those on the way to an address.

The masks are those that KVM sets for AMD (kvm_mmu_reset_all_pte_masks), written down here and not read from the dump.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from lab.oracle.kernel import Kernel
from lab.oracle.roots import PAE_ENTRIES, PAE_LEVEL, PAE_PRESENT, Slot, distinct_roots
from lab.oracle.shadow_pages import FRAME, field, is_leaf, is_present, page_of_table, role

PAGE = 4096
ENTRIES = 512
MMIO = 1 << 51 | 1
FROZEN = 0x5A0
EMPTY_SINCE_INIT_VALUE = 1 << 63  # SHADOW_NONPRESENT_VALUE, which came with the caches' init_value

FLAGS = {"r": 1 << 0, "w": 1 << 1, "u": 1 << 2, "accessed": 1 << 5}
LEAF_FLAGS = {"dirty": 1 << 6, "host_writable": 1 << 9, "mmu_writable": 1 << 10}
NX = 1 << 63
FLAG_ORDER = ("r", "w", "x", "u", "accessed", "dirty", "ad_disabled", "host_writable", "mmu_writable", "huge")


def empty_spte(kernel: Kernel) -> int:
    return EMPTY_SINCE_INIT_VALUE if kernel.find("kvm_vcpu.arch.mmu_shadow_page_cache.init_value") else 0


def spte_kind(spte: int, level: int, empty: int) -> str:
    if spte in (0, empty):
        return "nonpresent"
    if is_present(spte):
        return "leaf" if is_leaf(spte, level) else "table"
    if spte == empty | FROZEN:
        return "frozen"
    return "mmio" if spte & MMIO == MMIO else "unknown"


@dataclass(frozen=True)
class Entry:
    """One entry of a table, empty ones included. `page` is that of the table it stands in, None in a PAE table."""

    depth: int
    level: int
    index: int
    address: int
    spte: int
    table: int
    page: int | None


class Tree:
    """The tables below one root."""

    def __init__(self, kernel: Kernel, slot: Slot):
        self.kernel = kernel
        self.slot = slot
        self.special = slot.page is None and slot.level == PAE_LEVEL
        self.empty = empty_spte(kernel)
        self.domain = self.domain_of_root()

    def domain_of_root(self) -> str:
        """A PAE table is as direct as the pages that it leads to."""
        if self.slot.mmu == "guest_mmu":
            return "l2-gpa"
        pages = [self.slot.page] if self.slot.page else \
            [page_of_table(self.kernel, entry & FRAME) for entry in self.table(self.slot.hpa & FRAME, self.special)
             if entry & PAE_PRESENT]
        return "gpa" if any(role(self.kernel, page, "direct") for page in pages) else "gva"

    def table(self, physical: int, special: bool) -> list[int]:
        return self.kernel.table(self.kernel.direct(physical))[:PAE_ENTRIES if special else ENTRIES]

    def kind(self, entry: Entry) -> str:
        if entry.page is None and self.special:
            return "table" if entry.spte & PAE_PRESENT else "nonpresent"
        return spte_kind(entry.spte, entry.level, self.empty)

    def size(self, level: int) -> int:
        return PAGE << 9 * (level - 1)

    def canonical(self, address: int) -> int:
        """As a guest with 4 or 5 levels writes it."""
        bits = 12 + 9 * self.slot.level
        if self.domain == "gva" and self.slot.level >= 4 and address >> (bits - 1) & 1:
            return address | (1 << 64) - (1 << bits)
        return address

    def base(self) -> int:
        """An entry of a PAE table starts at its own GiB."""
        slot = self.slot.slot
        return int(slot.split(".pae")[1]) << 30 if ".pae" in slot else 0

    def entries(self) -> Iterator[Entry]:
        """All of them, empty ones too, from the root down, a table's entries behind the one that leads to it."""
        yield from self.entries_of(0, self.slot.level, self.base(), self.slot.hpa & FRAME, self.slot.page)

    def entries_of(self, depth: int, level: int, base: int, table: int, page: int | None) -> Iterator[Entry]:
        for index, spte in enumerate(self.table(table, self.special and page is None)):
            entry = Entry(depth, level, index, base + index * self.size(level), spte, table, page)
            yield entry
            if self.kind(entry) == "table":
                target = spte & FRAME
                yield from self.entries_of(depth + 1, level - 1, entry.address, target,
                                           page_of_table(self.kernel, target))

    def path(self, address: int) -> Iterator[Entry]:
        """The entries that translate an address, down to a leaf or a hole."""
        table, page = self.slot.hpa & FRAME, self.slot.page
        for level in range(self.slot.level, 0, -1):
            entries = self.table(table, self.special and page is None)
            index = address // self.size(level) % len(entries)
            entry = Entry(self.slot.level - level, level, index, address & ~(self.size(level) - 1), entries[index],
                          table, page)
            yield entry
            if self.kind(entry) != "table":
                return
            table = entry.spte & FRAME
            page = page_of_table(self.kernel, table)

    def record(self, entry: Entry) -> dict:
        kind = self.kind(entry)
        present = kind in ("table", "leaf")
        child = page_of_table(self.kernel, entry.spte & FRAME) if kind == "table" else None
        return {
            "depth": entry.depth,
            "level": entry.level,
            "index": entry.index,
            "address": hex(self.canonical(entry.address)),
            "domain": self.domain,
            "spte": hex(entry.spte),
            "spte_address": hex(self.kernel.direct(entry.table + 8 * entry.index)),
            "kind": kind,
            "gfn": self.gfn(entry, kind, child),
            "pfn": hex((entry.spte & FRAME) // PAGE) if present else None,
            "sp": hex(child) if child else None,
            "parent_sp": hex(entry.page) if entry.page else None,
            "flags": flags(entry.spte, kind == "leaf", entry.level) if present else [],
        }

    def gfn(self, entry: Entry, kind: str, child: int | None) -> str | None:
        """Of the page behind a table entry; what a leaf maps (kvm_mmu_page_get_gfn)."""
        if child:
            return hex(field(self.kernel, child, "gfn"))
        if kind != "leaf" or not entry.page:
            return None
        gfn = field(self.kernel, entry.page, "gfn")
        if role(self.kernel, entry.page, "passthrough"):
            return hex(gfn)
        translations = field(self.kernel, entry.page, "shadowed_translation")
        if translations and not role(self.kernel, entry.page, "direct"):
            return hex(self.kernel.number(translations + 8 * entry.index) // PAGE)
        return hex(gfn + (entry.index << 9 * (entry.level - 1)))


def flags(spte: int, leaf: bool, level: int) -> list[str]:
    masks = FLAGS | LEAF_FLAGS if leaf else FLAGS
    words = {word for word, mask in masks.items() if spte & mask}
    words |= {"x"} if not spte & NX else set()
    words |= {"ad_disabled"} if spte >> 52 & 3 == 1 else set()
    words |= {"huge"} if leaf and level > 1 else set()
    return [word for word in FLAG_ORDER if word in words]


def tree_records(tree: Tree, entries: list[Entry]) -> list[dict]:
    return [tree.record(entry) for entry in entries if tree.kind(entry) != "nonpresent"]


def path_records(tree: Tree, address: int) -> list[dict]:
    records = []
    for entry in tree.path(address):
        record = tree.record(entry)
        leads = (entry.spte & FRAME & ~(tree.size(entry.level) - 1)) + address % tree.size(entry.level)
        records.append(record | {"hpa": hex(leads) if record["kind"] == "leaf" else None})
    return records


def chosen_addresses(tree: Tree, entries: list[Entry]) -> list[int]:
    """A byte inside the first entry of each kind and level, and the last byte of the last one; holes are a kind."""
    first: dict[tuple, Entry] = {}
    last: dict[tuple, Entry] = {}
    for entry in entries:
        key = tree.kind(entry), entry.level
        first.setdefault(key, entry)
        last[key] = entry
    inside = {entry.address + 0x123 for entry in first.values()}
    return sorted(map(tree.canonical, inside | {entry.address + tree.size(entry.level) - 1 for entry in last.values()}))


def tree_lines(kernel: Kernel) -> dict[str, list[dict]]:
    """The records of `tree` of every root, and of `path` to some addresses of each, by command line."""
    lines = {}
    for slot in distinct_roots(kernel):
        tree = Tree(kernel, slot)
        entries = list(tree.entries())
        lines[f"tree {slot.name}"] = tree_records(tree, entries)
        for address in chosen_addresses(tree, entries):
            lines[f"path {slot.name} {address:#x}"] = path_records(tree, address)
    return lines
