"""The records of `counts` and `stats`."""

from collections import Counter

from lab.oracle.kernel import Kernel
from lab.oracle.machines import slot_addresses, vcpu_addresses, vm_addresses
from lab.oracle.rmaps import LEVELS, chain, elements, heads, slot_arrays
from lab.oracle.shadow_pages import active_pages, field, is_obsolete, role, role_text, tdp_pages

PAGE = 4096
BUCKETS = 4096


def count_records(kernel: Kernel) -> list[dict]:
    return [count_record(kernel, index, vm) for index, vm in enumerate(vm_addresses(kernel))]


def count_record(kernel: Kernel, index: int, vm: int) -> dict:
    shadow, tdp = list(active_pages(kernel, vm)), tdp_pages(kernel, vm)
    buckets = hash_buckets(kernel, vm)
    held = [page for bucket in buckets for page in bucket if role(kernel, page, "invalid")]
    lengths = Counter(map(len, buckets))
    slots = list(slot_addresses(kernel, vm))
    rmaps = [chain(kernel, value) for slot in slots for _, _, value in heads(kernel, slot)]
    every = list(dict.fromkeys(shadow + held))
    parents = sum(chain(kernel, field(kernel, page, "parent_ptes")).descriptors for page in every)
    memory = {
        "shadow_bytes": PAGE * len(every),
        "tdp_bytes": PAGE * len(tdp),
        "header_bytes": kernel.backend.size_of("kvm_mmu_page") * (len(every) + len(tdp)),
        "gfn_table_bytes": PAGE * sum(field(kernel, page, "shadowed_translation") != 0 for page in every),
        "descriptor_bytes": kernel.backend.size_of("pte_list_desc") * (parents + sum(one.descriptors for one in rmaps)),
        "rmap_bytes": sum(8 * elements(kernel, slot, level) for slot in slots
                          for level, array in zip(LEVELS, slot_arrays(kernel, slot, "rmap")) if array),
        "lpage_info_bytes": sum(kernel.backend.size_of("kvm_lpage_info") * elements(kernel, slot, level) for slot in slots
                                for level, array in zip(LEVELS[1:], slot_arrays(kernel, slot, "lpage_info")) if array),
        "gfn_track_bytes": sum(2 * kernel.get(slot, "kvm_memory_slot.npages") for slot in slots
                               for array in track_arrays(kernel, slot) if array),
    }
    return {
        "vm": index,
        "pages": len(shadow),
        "used": kernel.get(vm, "kvm.arch.n_used_mmu_pages"),
        "max": kernel.get(vm, "kvm.arch.n_max_mmu_pages"),
        "tdp_pages": len(tdp),
        "unreadable": 0,
        "levels": level_rows(kernel, vm, shadow + tdp),
        "roles": role_rows(kernel, vm, shadow + tdp),
        "hash_buckets": len(buckets),
        "hash_pages": sum(map(len, buckets)),
        "hash_lengths": [{"length": length, "buckets": lengths[length]} for length in sorted(lengths)],
        "invalid_roots": sum(field(kernel, page, "root_count") > 0 for page in held),
        "invalid_tdp_roots": sum(role(kernel, page, "invalid") and not field(kernel, page, "ptep") for page in tdp),
        "rmap_entries": sum(len(one.sptes) for one in rmaps),
        "rmap_descriptors": sum(one.descriptors for one in rmaps),
        "parent_descriptors": parents,
        **memory,
        "total_bytes": sum(memory.values()),
    }


def track_arrays(kernel: Kernel, slot: int) -> list[int]:
    name = "gfn_write_track" if kernel.find("kvm_memory_slot.arch.gfn_write_track") else "gfn_track"
    return slot_arrays(kernel, slot, name)


def hash_buckets(kernel: Kernel, vm: int) -> list[list[int]]:
    found = kernel.field("kvm.arch.mmu_page_hash")
    table = vm + found.offset if found.size == 8 * BUCKETS else kernel.number(vm + found.offset)
    offset = kernel.offset("kvm_mmu_page.hash_link")
    buckets = []
    for index in range(BUCKETS):
        pages, node = [], kernel.number(table + 8 * index) if table else 0
        while node:
            pages.append(node - offset)
            node = kernel.number(node)
        buckets.append(pages)
    return buckets


def level_rows(kernel: Kernel, vm: int, pages: list[int]) -> list[dict]:
    rows = []
    for level in range(5, 0, -1):
        here = [page for page in pages if role(kernel, page, "level") == level]
        direct = sum(role(kernel, page, "direct") for page in here)
        if here:
            rows.append({
                "level": level, "pages": len(here), "direct": direct, "indirect": len(here) - direct,
                "unsync": sum(field(kernel, page, "unsync") for page in here),
                "invalid": sum(role(kernel, page, "invalid") for page in here),
                "obsolete": sum(is_obsolete(kernel, vm, page) for page in here),
                "tdp_mmu": sum(field(kernel, page, "tdp_mmu_page") for page in here)})
    return rows


def role_rows(kernel: Kernel, vm: int, pages: list[int]) -> list[dict]:
    groups: dict[tuple, list[int]] = {}
    for page in pages:
        key = -role(kernel, page, "level"), field(kernel, page, "tdp_mmu_page"), role(kernel, page, "word")
        groups.setdefault(key, []).append(page)
    return [{"level": -key[0], "role": hex(key[2]), "role_text": role_text(kernel, group[0]), "tdp_mmu": bool(key[1]),
             "guest_mode": bool(role(kernel, group[0], "guest_mode")), "smm": role(kernel, group[0], "smm"),
             "pages": len(group), "unsync": sum(field(kernel, page, "unsync") for page in group),
             "obsolete": sum(is_obsolete(kernel, vm, page) for page in group)}
            for key, group in sorted(groups.items())]


def stat_records(kernel: Kernel) -> list[dict]:
    """Needs the own backend, which knows the members of a struct."""
    records = []
    for index, vm in enumerate(vm_addresses(kernel)):
        records += struct_stats(kernel, index, None, kernel.at(vm, "kvm.stat"), "kvm_vm_stat")
        for vcpu in vcpu_addresses(kernel, vm):
            records += struct_stats(kernel, index, kernel.get(vcpu, "kvm_vcpu.vcpu_id"), kernel.at(vcpu, "kvm_vcpu.stat"),
                                    "kvm_vcpu_stat")
    return records


def struct_stats(kernel: Kernel, vm: int, vcpu: int | None, address: int, name: str):
    for member, (place, kind) in kernel.backend.types.struct(name).members.items():
        if kind == f"{name}_generic":
            yield from struct_stats(kernel, vm, vcpu, address + place.offset, kind)
            continue
        numbers = [kernel.number(address + place.offset + at) for at in range(0, place.size, 8)]
        single = place.size == 8
        yield {"vm": vm, "vcpu": vcpu, "name": member, "value": numbers[0] if single else None,
               "elements": None if single else [{"index": i, "count": count} for i, count in enumerate(numbers)]}
