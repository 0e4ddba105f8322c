"""The table of faults for `audit`, and what they are planted with: places that the oracle finds in a sound dump, changes of
members."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from lab.faults import Change, overlay_text, table_of, word
from lab.oracle.kernel import U64, Kernel
from lab.oracle.machines import slot_addresses, vcpu_addresses, vm_addresses
from lab.oracle.rmaps import heads, slot_arrays
from lab.oracle.shadow_pages import FRAME, active_pages, field, is_leaf, is_present, page_of_table, role, tdp_pages
from lab.oracle.translate import PAGE

WRITABLE = 2
HASH_BITS = 12
GOLDEN_RATIO = 0x61C8864680B583EB


@dataclass(frozen=True)
class Fault:
    """What breaks a rule, in which scenario's dump."""

    rule: str
    scenario: str
    changes: Callable[[Kernel], Iterable[Change]]

    @property
    def name(self) -> str:
        return self.changes.__name__.replace("_", "-")

    def overlay(self, kernel: Kernel) -> str:
        text = overlay_text(kernel, self.changes(kernel))
        assert text, f"there is nothing to change for {self.name}"
        return text


FAULTS: list[Fault] = []


def breaks(rule: str, scenario: str = "shadow"):
    """One row of the table."""
    def add(changes):
        FAULTS.append(Fault(rule, scenario, changes))
        return changes
    return add


def numbered(kernel: Kernel, address: int, path: str, value: int) -> Change:
    """A member of the struct at `address`; a bit field keeps its neighbours."""
    place = kernel.field(path)
    if place.bit_size:
        mask = (1 << place.bit_size) - 1 << place.bit_offset
        value = kernel.number(address + place.offset, place.size) & ~mask | value << place.bit_offset
    return address + place.offset, (value & (1 << 8 * place.size) - 1).to_bytes(place.size, "little")


def more(kernel: Kernel, address: int, path: str, by: int = 1) -> Change:
    return numbered(kernel, address, path, kernel.get(address, path) + by)


def pages(kernel: Kernel) -> Iterator[tuple[int, int]]:
    """(struct kvm, shadow page) of every VM that has several vCPUs or pages worth it."""
    return ((vm, page) for vm in vm_addresses(kernel) for page in active_pages(kernel, vm))


def first(kernel: Kernel, wanted: Callable[[int], bool]) -> int:
    return next(page for _, page in pages(kernel) if wanted(page))


def is_plain(kernel: Kernel, page: int, level: int) -> bool:
    """Indirect, synced, with nothing unsync below, no root."""
    return role(kernel, page, "level") == level and not role(kernel, page, "direct") and \
        not any(field(kernel, page, name) for name in ("unsync", "unsync_children", "root_count"))


def plain(kernel: Kernel, level: int) -> int:
    return first(kernel, lambda page: is_plain(kernel, page, level))


def entries(kernel: Kernel, page: int) -> Iterator[tuple[int, int]]:
    """(address, SPTE)"""
    table = table_of(kernel, page)
    return ((table + 8 * index, spte) for index, spte in enumerate(kernel.table(table)))


def tables_below(kernel: Kernel, page: int) -> Iterator[tuple[int, int]]:
    level = role(kernel, page, "level")
    return ((at, spte) for at, spte in entries(kernel, page) if is_present(spte) and not is_leaf(spte, level))


def empty_entry(kernel: Kernel, page: int) -> int:
    return next(at for at, spte in entries(kernel, page) if spte in (0, 1 << 63))


def tdp_root(kernel: Kernel) -> int:
    return next(page for vm in vm_addresses(kernel) for page in tdp_pages(kernel, vm))


def tdp_page(kernel: Kernel, level: int) -> int:
    return next(page for vm in vm_addresses(kernel) for page in tdp_pages(kernel, vm)
                if role(kernel, page, "level") == level)


def tdp_leaf(kernel: Kernel, wanted: Callable[[int, int], bool]) -> tuple[int, int]:
    """(address, SPTE) of the first leaf in a tree of the TDP MMU for which wanted(SPTE, level) holds."""
    for vm in vm_addresses(kernel):
        for page in tdp_pages(kernel, vm):
            level = role(kernel, page, "level")
            for at, spte in entries(kernel, page):
                if is_present(spte) and is_leaf(spte, level) and wanted(spte, level):
                    return at, spte
    raise LookupError("no such leaf")


def shadow_leaf(kernel: Kernel) -> tuple[int, int, int]:
    """(shadow page, address, SPTE) of a writable leaf of 4 KiB."""
    for _, page in pages(kernel):
        if is_plain(kernel, page, 1):
            for at, spte in entries(kernel, page):
                if is_present(spte) and spte & WRITABLE:
                    return page, at, spte
    raise LookupError("no writable leaf")


def single_rmap(kernel: Kernel) -> int:
    """The address of a kvm_rmap_head with one SPTE."""
    for vm in vm_addresses(kernel):
        for slot in slot_addresses(kernel, vm):
            base = kernel.get(slot, "kvm_memory_slot.base_gfn")
            for level, gfn, value in heads(kernel, slot):
                if level == 1 and not value & 1:
                    return slot_arrays(kernel, slot, "rmap")[0] + 8 * (gfn - base)
    raise LookupError("no rmap with one SPTE")


def slot_of(kernel: Kernel, vm: int, gfn: int) -> int | None:
    for slot in slot_addresses(kernel, vm):
        base = kernel.get(slot, "kvm_memory_slot.base_gfn")
        if base <= gfn < base + kernel.get(slot, "kvm_memory_slot.npages"):
            return slot
    return None


def lpage_info(kernel: Kernel, slot: int, gfn: int, level: int) -> int:
    """The address of kvm_lpage_info.disallow_lpage."""
    shift = 9 * (level - 1)
    base = kernel.get(slot, "kvm_memory_slot.base_gfn")
    return slot_arrays(kernel, slot, "lpage_info")[level - 2] + 4 * ((gfn >> shift) - (base >> shift))


def bucket(kernel: Kernel, vm: int, gfn: int) -> int:
    """The address of the hlist_head."""
    place = kernel.field("kvm.arch.mmu_page_hash")
    array = vm + place.offset if place.size > 8 else kernel.number(vm + place.offset)
    return array + 8 * ((gfn * GOLDEN_RATIO & U64) >> 64 - HASH_BITS)


def vcpus(kernel: Kernel) -> Iterator[int]:
    return (vcpu for vm in vm_addresses(kernel) for vcpu in vcpu_addresses(kernel, vm))


def many_parents(kernel: Kernel) -> int:
    """A pte_list_desc of some page's parent_ptes."""
    return next(value & ~3 for _, page in pages(kernel) if (value := field(kernel, page, "parent_ptes")) & 1)


def bit_change(kernel: Kernel, page: int, spte_address: int, value: bool) -> Change:
    index = spte_address % PAGE // 8
    at = kernel.at(page, "kvm_mmu_page.unsync_child_bitmap") + index // 64 * 8
    bit = 1 << index % 64
    return at, word(kernel.number(at) & ~bit | (bit if value else 0))


def has_one_parent(kernel: Kernel, page: int) -> bool:
    value = field(kernel, page, "parent_ptes")
    return value != 0 and not value & 1


def marks_cleared(kernel: Kernel, page: int) -> Iterator[Change]:
    """Up to the page that something else below still marks."""
    while has_one_parent(kernel, page):
        spte_address = field(kernel, page, "parent_ptes")
        page = page_of_table(kernel, kernel.physical_of_direct(spte_address) & FRAME)
        yield bit_change(kernel, page, spte_address, False)
        yield more(kernel, page, "kvm_mmu_page.unsync_children", -1)
        if field(kernel, page, "unsync_children") > 1:
            return
