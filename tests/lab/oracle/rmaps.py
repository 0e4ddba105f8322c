"""Rmaps: the SPTEs that the memslots' arrays list for each guest frame, and those that point to shadow pages."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from lab.oracle.kernel import Kernel
from lab.oracle.machines import slot_addresses, vm_addresses
from lab.oracle.shadow_pages import (DESCRIPTORS_MAX, FRAME, active_pages, field, is_leaf, is_present, page_of_table, role,
                                     tdp_pages)

PAGE = 4096
LEVELS = (1, 2, 3)
HEAD = 8


@dataclass(frozen=True)
class Entry:
    """One SPTE that maps a frame."""

    as_id: int
    level: int
    gfn: int
    spte_address: int
    tdp_mmu: bool


@dataclass(frozen=True)
class Chain:
    """What a kvm_rmap_head leads to."""

    sptes: tuple[int, ...]
    descriptors: int


def chain(kernel: Kernel, head: int) -> Chain:
    if not head & 1:
        return Chain((head & ~3,) if head & ~3 else (), 0)
    sptes: list[int] = []
    descriptor = head & ~3
    place = kernel.field("pte_list_desc.sptes").offset
    for number in range(1, DESCRIPTORS_MAX):
        count = kernel.get(descriptor, "pte_list_desc.spte_count")
        sptes += [kernel.number(descriptor + place + 8 * i) for i in range(count)]
        descriptor = kernel.get(descriptor, "pte_list_desc.more")
        if not descriptor:
            return Chain(tuple(sptes), number)
    raise AssertionError(f"the rmap {head:#x} does not end")


def slot_arrays(kernel: Kernel, slot: int, member: str) -> list[int]:
    found = kernel.field(f"kvm_memory_slot.arch.{member}")
    return [kernel.number(slot + found.offset + at) for at in range(0, found.size, 8)]


def elements(kernel: Kernel, slot: int, level: int) -> int:
    base, pages = (kernel.get(slot, f"kvm_memory_slot.{name}") for name in ("base_gfn", "npages"))
    shift = 9 * (level - 1)
    return (base + pages - 1 >> shift) - (base >> shift) + 1


def heads(kernel: Kernel, slot: int) -> Iterator[tuple[int, int, int]]:
    """(level, first gfn, value) of each element that is not empty."""
    base = kernel.get(slot, "kvm_memory_slot.base_gfn")
    for level, array in zip(LEVELS, slot_arrays(kernel, slot, "rmap")):
        if array:
            data = kernel.backend.read(array, HEAD * elements(kernel, slot, level))
            for index, value in enumerate(memoryview(data).cast("Q")):
                if value:
                    shift = 9 * (level - 1)
                    yield level, (base >> shift) + index << shift, value


def rmap_entries(kernel: Kernel, vm: int) -> list[Entry]:
    return [Entry(kernel.get(slot, "kvm_memory_slot.as_id"), level, gfn, spte, False)
            for slot in slot_addresses(kernel, vm) for level, gfn, value in heads(kernel, slot)
            for spte in chain(kernel, value).sptes]


def leaves(kernel: Kernel, page: int) -> Iterator[tuple[int, int]]:
    """(gfn, address) of each leaf SPTE in the table of a page (kvm_mmu_page_get_gfn)."""
    level, table = role(kernel, page, "level"), field(kernel, page, "spt")
    translations = 0 if field(kernel, page, "tdp_mmu_page") else field(kernel, page, "shadowed_translation")
    for index, spte in enumerate(kernel.table(table)):
        if is_present(spte) and is_leaf(spte, level):
            gfn = field(kernel, page, "gfn")
            if not role(kernel, page, "passthrough"):
                if translations and not role(kernel, page, "direct"):
                    gfn = kernel.number(translations + 8 * index) // PAGE
                else:
                    gfn += index << 9 * (level - 1)
            yield gfn, table + 8 * index


def mapped(kernel: Kernel, vm: int, pages: list[int], tdp_mmu: bool) -> list[Entry]:
    """Every leaf SPTE in the tables of these pages."""
    return [Entry(role(kernel, page, "smm"), role(kernel, page, "level"), gfn, spte, tdp_mmu)
            for page in pages for gfn, spte in leaves(kernel, page)]


def expected_rmaps(kernel: Kernel, index: int) -> list[dict]:
    """The records of `rmap VM`, without the paths."""
    vm = vm_addresses(kernel)[index]
    found = rmap_entries(kernel, vm) + mapped(kernel, vm, tdp_pages(kernel, vm), True)
    return [rmap_record(kernel, index, entry) for entry in found]


def rmap_record(kernel: Kernel, vm: int, entry: Entry) -> dict:
    spte = kernel.number(entry.spte_address)
    page = page_of_table(kernel, kernel.physical_of_direct(entry.spte_address) & FRAME)
    return {
        "vm": vm,
        "as_id": entry.as_id,
        "gfn": hex(entry.gfn),
        "level": entry.level,
        "source": "tdp_mmu" if entry.tdp_mmu else "rmap",
        "spte": hex(spte),
        "spte_address": hex(entry.spte_address),
        "kind": "leaf" if is_present(spte) and is_leaf(spte, role(kernel, page, "level")) else "unknown",
        "pfn": hex((spte & FRAME) // PAGE),
        "sp": hex(page),
        "index": entry.spte_address % PAGE // 8,
        "direct": bool(role(kernel, page, "direct")),
    }


def parent_entries(kernel: Kernel) -> dict[int, set[int]]:
    """By shadow page, the addresses of the SPTEs that point to it, found by looking into every table."""
    found: dict[int, set[int]] = defaultdict(set)
    for vm in vm_addresses(kernel):
        for page in [*active_pages(kernel, vm), *tdp_pages(kernel, vm)]:
            level, table = role(kernel, page, "level"), field(kernel, page, "spt")
            for index, spte in enumerate(kernel.table(table)):
                if is_present(spte) and not is_leaf(spte, level):
                    found[page_of_table(kernel, spte & FRAME)].add(table + 8 * index)
    return found


def ancestors(kernel: Kernel, parents: dict[int, set[int]], page: int) -> set[int]:
    """The addresses of all SPTEs on the ways from roots to a page."""
    found: set[int] = set()
    waiting = [page]
    while waiting:
        for spte in parents.get(waiting.pop(), set()) - found:
            found.add(spte)
            waiting.append(page_of_table(kernel, kernel.physical_of_direct(spte) & FRAME))
    return found
