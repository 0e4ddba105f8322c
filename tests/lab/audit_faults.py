"""A fault for each rule of `audit` about lists, single shadow pages, their ways and entries."""

from lab.audit_places import (WRITABLE, bit_change, breaks, bucket, empty_entry, entries, first, is_plain, many_parents,
                              more, numbered, pages, plain, shadow_leaf, single_rmap, tables_below, tdp_leaf, tdp_page,
                              tdp_root, vcpus)
from lab.faults import POISON, WILD, next_of, owner_change, table_of, user_frame, word
from lab.oracle.kernel import Kernel
from lab.oracle.machines import slot_addresses, vm_addresses
from lab.oracle.shadow_pages import FRAME, HUGE, active_pages, field, is_present, page_of_table, role, tdp_pages

# ---- lists


@breaks("lists")
def active_poison(kernel: Kernel):
    listed = list(active_pages(kernel, vm_addresses(kernel)[0]))
    yield next_of(kernel, listed[len(listed) // 2]), word(POISON)


@breaks("lists")
def active_loop(kernel: Kernel):
    """With both links: what lies behind is not found on the list any more."""
    listed = list(active_pages(kernel, vm_addresses(kernel)[0]))
    yield next_of(kernel, listed[10]), word(next_of(kernel, listed[5]))
    yield next_of(kernel, listed[5]) + 8, word(next_of(kernel, listed[10]))


@breaks("lists")
def bucket_loop(kernel: Kernel):
    vm, page = next(pages(kernel))
    link = kernel.at(page, "kvm_mmu_page.hash_link")
    yield bucket(kernel, vm, field(kernel, page, "gfn")), word(link)
    yield link, word(link)


@breaks("hash")
def bucket_empty(kernel: Kernel):
    for vm, page in pages(kernel):
        link = kernel.at(page, "kvm_mmu_page.hash_link")
        head = bucket(kernel, vm, field(kernel, page, "gfn"))
        if kernel.number(head) == link and kernel.number(link) == 0:
            yield head, word(0)
            return


@breaks("active-valid")
def active_invalid(kernel: Kernel):
    yield numbered(kernel, plain(kernel, 2), "kvm_mmu_page.role.invalid", 1)


@breaks("used-pages")
def used_pages(kernel: Kernel):
    yield more(kernel, vm_addresses(kernel)[0], "kvm.arch.n_used_mmu_pages")


# ---- single pages


@breaks("page-private")
def private_of_table(kernel: Kernel):
    page = plain(kernel, 1)
    yield owner_change(kernel, kernel.physical_of_direct(table_of(kernel, page)), plain(kernel, 2))


@breaks("page-private")
def spt_wild(kernel: Kernel):
    yield numbered(kernel, plain(kernel, 1), "kvm_mmu_page.spt", WILD)


@breaks("page-private")
def spt_of_another(kernel: Kernel):
    yield numbered(kernel, plain(kernel, 1), "kvm_mmu_page.spt", table_of(kernel, plain(kernel, 2)))


@breaks("valid-gen")
def valid_gen(kernel: Kernel):
    page = plain(kernel, 1)
    yield numbered(kernel, page, "kvm_mmu_page.mmu_valid_gen", field(kernel, page, "mmu_valid_gen") ^ 1)


@breaks("indirect-pages")
def indirect_pages(kernel: Kernel):
    yield more(kernel, vm_addresses(kernel)[0], "kvm.arch.indirect_shadow_pages")


@breaks("nx-list")
def nx_splits(kernel: Kernel):
    yield more(kernel, vm_addresses(kernel)[0], "kvm.stat.nx_lpage_splits")


# ---- unsync


@breaks("unsync-page")
def unsync_level_2(kernel: Kernel):
    yield numbered(kernel, plain(kernel, 2), "kvm_mmu_page.unsync", 1)


@breaks("unsync-count")
def unsync_count(kernel: Kernel):
    yield more(kernel, vm_addresses(kernel)[0], "kvm.stat.mmu_unsync")


@breaks("unsync-children")
def unsync_children(kernel: Kernel):
    yield more(kernel, plain(kernel, 2), "kvm_mmu_page.unsync_children")


@breaks("unsync-bitmap")
def unsync_bit_lost(kernel: Kernel):
    """The bit of an entry that leads to an unsync page, with the number of bits."""
    for _, page in pages(kernel):
        for at, spte in tables_below(kernel, page):
            if field(kernel, page_of_table(kernel, spte & FRAME), "unsync"):
                yield bit_change(kernel, page, at, False)
                yield more(kernel, page, "kvm_mmu_page.unsync_children", -1)
                return


@breaks("unsync-stale")
def unsync_bit_stale(kernel: Kernel):
    page = first(kernel, lambda page: field(kernel, page, "unsync_children") != 0)
    yield bit_change(kernel, page, empty_entry(kernel, page), True)
    yield more(kernel, page, "kvm_mmu_page.unsync_children")


# ---- parents and children


@breaks("pte-list")
def descriptor_count(kernel: Kernel):
    yield numbered(kernel, many_parents(kernel), "pte_list_desc.spte_count", 0)


@breaks("pte-list")
def descriptor_loop(kernel: Kernel):
    descriptor = many_parents(kernel)
    yield numbered(kernel, descriptor, "pte_list_desc.more", descriptor)


@breaks("pte-list")
def descriptor_wild(kernel: Kernel):
    yield numbered(kernel, many_parents(kernel), "pte_list_desc.more", 0x1000)


@breaks("child-table")
def child_of_nobody(kernel: Kernel):
    at, spte = next(tables_below(kernel, plain(kernel, 2)))
    yield at, word(spte & ~FRAME | user_frame(kernel))


@breaks("parent-ptes")
def no_parents(kernel: Kernel):
    page = first(kernel, lambda page: is_plain(kernel, page, 1) and field(kernel, page, "parent_ptes") & 1 == 0
                 and field(kernel, page, "parent_ptes") != 0)
    yield numbered(kernel, page, "kvm_mmu_page.parent_ptes", 0)


@breaks("parent-ptes")
def entry_cleared(kernel: Kernel):
    """The page keeps it in parent_ptes."""
    at, _ = next(tables_below(kernel, plain(kernel, 2)))
    yield at, word(0)


@breaks("parent-ptes")
def entry_redirected(kernel: Kernel):
    """To another page of the right level."""
    page = plain(kernel, 2)
    at, spte = next(tables_below(kernel, page))
    other = first(kernel, lambda other: is_plain(kernel, other, 1) and table_of(kernel, other) !=
                  kernel.direct(spte & FRAME))
    yield at, word(spte & ~FRAME | kernel.physical_of_direct(table_of(kernel, other)))


@breaks("ptep", "tdp")
def ptep_beside(kernel: Kernel):
    yield more(kernel, tdp_page(kernel, 1), "kvm_mmu_page.ptep", 8)


# ---- rmaps


@breaks("rmap")
def rmap_empty(kernel: Kernel):
    yield single_rmap(kernel), word(0)


@breaks("rmap")
def rmap_of_another(kernel: Kernel):
    """The SPTE is right, but for another frame."""
    head = single_rmap(kernel)
    yield head, word(kernel.number(head) + 8)


@breaks("rmap")
def rmap_wild(kernel: Kernel):
    yield single_rmap(kernel), word(0xDEAD000000001000)


@breaks("pte-list")
def rmap_chain_wild(kernel: Kernel):
    yield single_rmap(kernel), word(0xDEAD000000001001)


# ---- entries


@breaks("header")
def level_15(kernel: Kernel):
    yield numbered(kernel, plain(kernel, 1), "kvm_mmu_page.role.level", 15)


@breaks("level")
def leaf_of_level_4(kernel: Kernel):
    """A present entry of a page of level 4, with nothing unsync below, becomes a leaf."""
    for _, page in pages(kernel):
        if role(kernel, page, "level") == 4:
            for at, spte in tables_below(kernel, page):
                child = page_of_table(kernel, spte & FRAME)
                if not field(kernel, child, "unsync_children"):
                    yield at, word(spte | HUGE)
                    return


@breaks("level")
def child_of_wrong_level(kernel: Kernel):
    page = first(kernel, lambda page: is_plain(kernel, page, 3) and any(tables_below(kernel, page)))
    at, spte = next(tables_below(kernel, page))
    yield at, word(spte & ~FRAME | kernel.physical_of_direct(table_of(kernel, plain(kernel, 1))))


@breaks("writable")
def writable_alone(kernel: Kernel):
    _, at, spte = shadow_leaf(kernel)
    yield at, word(spte & ~kernel.variable("shadow_mmu_writable_mask"))


@breaks("writable", "tdp")
def mmu_writable_alone(kernel: Kernel):
    at, spte = tdp_leaf(kernel, lambda spte, _: bool(spte & WRITABLE))
    yield at, word(spte & ~kernel.variable("shadow_host_writable_mask"))


@breaks("reserved-bits", "tdp")
def reserved_bit(kernel: Kernel):
    """The highest that is reserved in an entry of 4 KiB: shadow_zero_check starts with those."""
    mask = kernel.number(kernel.at(next(vcpus(kernel)), "kvm_vcpu.arch.root_mmu.shadow_zero_check"))
    at, spte = tdp_leaf(kernel, lambda spte, level: level == 1)
    yield at, word(spte | 1 << mask.bit_length() - 1)


@breaks("frozen", "tdp")
def frozen(kernel: Kernel):
    value = next(value for value in kernel.table(table_of(kernel, tdp_root(kernel))) if not is_present(value)) & 1 << 63
    yield empty_entry(kernel, tdp_page(kernel, 1)), word(value | 0x5A0)


@breaks("mmio", "tdp")
def mmio_in_memory(kernel: Kernel):
    """An entry that stands for MMIO, with the frame of memory."""
    for vm in vm_addresses(kernel):
        for page in tdp_pages(kernel, vm):
            for at, spte in entries(kernel, page):
                if not is_present(spte) and spte not in (0, 1 << 63):
                    low = kernel.variable("shadow_nonpresent_or_rsvd_lower_gfn_mask")
                    base = max((kernel.get(slot, "kvm_memory_slot.npages"), slot) for slot in slot_addresses(kernel, vm))
                    yield at, word(spte & ~low | kernel.get(base[1], "kvm_memory_slot.base_gfn") << 12)
                    return
