"""The records of `spte`: some entries of every kind and level of every VM, decoded with the masks of trees.py."""

from collections.abc import Iterator

from lab.oracle.kernel import Kernel
from lab.oracle.machines import vm_addresses
from lab.oracle.shadow_pages import FRAME, active_pages, field, role, tdp_pages
from lab.oracle.trees import FLAGS, LEAF_FLAGS, MMIO, PAGE, empty_spte, flags, spte_kind

# MMIO_SPTE_GEN_LOW_START, _END and so on of v5.13 to v6.x: (first bit, bits).
GENERATION_LOW, GENERATION_HIGH = (3, 8), (52, 11)
MMIO_ACCESS = 0x7 & ~MMIO  # W and U; bit 0 is part of what marks it


def entries(kernel: Kernel, vm: int) -> Iterator[tuple[int, int, int]]:
    """(page, index, SPTE) of every entry of every table of a VM."""
    for page in [*active_pages(kernel, vm), *tdp_pages(kernel, vm)]:
        for index, spte in enumerate(kernel.table(field(kernel, page, "spt"))):
            yield page, index, spte


def chosen(kernel: Kernel, vm: int) -> list[tuple[int, int, int]]:
    """The first and the last one of each kind, level and set of flags."""
    first: dict[tuple, tuple[int, int, int]] = {}
    last: dict[tuple, tuple[int, int, int]] = {}
    empty = empty_spte(kernel)
    for page, index, spte in entries(kernel, vm):
        level = role(kernel, page, "level")
        kind = spte_kind(spte, level, empty)
        key = kind, level, *flags(spte, kind == "leaf", level)
        first.setdefault(key, (page, index, spte))
        last[key] = page, index, spte
    return list(dict.fromkeys([*first.values(), *last.values()]))


def spte_lines(kernel: Kernel) -> dict[str, dict]:
    """The record of each command line."""
    return {f"spte {field(kernel, page, 'spt') + 8 * index:#x}": spte_record(kernel, vm, page, index, spte)
            for vm in vm_addresses(kernel) for page, index, spte in chosen(kernel, vm)}


def spte_record(kernel: Kernel, vm: int, page: int, index: int, spte: int) -> dict:
    level = role(kernel, page, "level")
    kind = spte_kind(spte, level, empty_spte(kernel))
    return {
        "spte": hex(spte),
        "spte_address": hex(field(kernel, page, "spt") + 8 * index),
        "sp": hex(page),
        "index": index,
        "level": level,
        "kind": kind,
        "format": "x86",
        **(present(spte, level, kind == "leaf") if kind in ("table", "leaf") else {"present": False, "flags": []}),
        **(mmio(kernel, vm, page, spte) if kind == "mmio" else {"mmio_generation": None, "mmio_stale": None}),
    }


def present(spte: int, level: int, leaf: bool) -> dict:
    words = flags(spte, leaf, level)
    return {
        "present": True, "readable": "r" in words, "writable": "w" in words, "executable": "x" in words,
        "user": "u" in words, "accessed": bool(spte & FLAGS["accessed"]), "access_tracked": False, "memtype": None,
        "ad_type": ("enabled", "disabled", "write-protect only")[spte >> 52 & 3],
        **{word: bool(spte & mask) if leaf else None for word, mask in LEAF_FLAGS.items()},
        "huge": level > 1 if leaf else None,
        "pfn": hex((spte & FRAME) // PAGE),
        "flags": words,
    }


def bits(number: int, first: int, count: int) -> int:
    return number >> first & (1 << count) - 1


def mmio(kernel: Kernel, vm: int, page: int, spte: int) -> dict:
    """AMD has no L1TF: the frame stands where that of a leaf does."""
    generation = bits(spte, *GENERATION_LOW) | bits(spte, *GENERATION_HIGH) << GENERATION_LOW[1]
    slots = kernel.number(kernel.at(vm, "kvm.memslots") + 8 * role(kernel, page, "smm"))
    now = bits(kernel.get(slots, "kvm_memslots.generation"), 0, GENERATION_LOW[1] + GENERATION_HIGH[1])
    return {
        "gfn": hex((spte & FRAME & ~MMIO) // PAGE),
        "mmio_generation": generation,
        "slots_generation": now,
        "mmio_stale": generation != now,
        "mmio_access": hex(spte & MMIO_ACCESS),
    }
