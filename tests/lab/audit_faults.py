"""A fault for each rule of `audit`, to plant in a sound dump through `--overlay`: found by the oracle, both kernels."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from lab.faults import POISON, Change, next_of, overlay_text, owner_change, table_of, user_frame, word
from lab.oracle.kernel import U64, Kernel
from lab.oracle.machines import slot_addresses, vcpu_addresses, vm_addresses
from lab.oracle.rmaps import heads, leaves, slot_arrays
from lab.oracle.roots import slots
from lab.oracle.translate import PAGE, owner_memory
from lab.oracle.shadow_pages import FRAME, HUGE, active_pages, field, is_leaf, is_present, page_of_table, role, tdp_pages

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


# ---- finding and changing things


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


def bit_change(kernel: Kernel, page: int, spte_address: int, value: bool) -> Change:
    index = spte_address % PAGE // 8
    at = kernel.at(page, "kvm_mmu_page.unsync_child_bitmap") + index // 64 * 8
    bit = 1 << index % 64
    return at, word(kernel.number(at) & ~bit | (bit if value else 0))


# ---- parents and children


def many_parents(kernel: Kernel) -> int:
    """A pte_list_desc of some page's parent_ptes."""
    return next(value & ~3 for _, page in pages(kernel) if (value := field(kernel, page, "parent_ptes")) & 1)


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


# ---- roles


@breaks("child-gfn", "tdp")
def gfn_of_child(kernel: Kernel):
    yield more(kernel, tdp_page(kernel, 1), "kvm_mmu_page.gfn", 512)


@breaks("role")
def role_of_child(kernel: Kernel):
    page = first(kernel, lambda page: is_plain(kernel, page, 1) and field(kernel, page, "parent_ptes") != 0)
    yield numbered(kernel, page, "kvm_mmu_page.role.efer_nx", 1 - role(kernel, page, "efer_nx"))


# ---- roots


@breaks("root-page")
def root_nowhere(kernel: Kernel):
    yield numbered(kernel, next(vcpus(kernel)), "kvm_vcpu.arch.root_mmu.root.hpa", user_frame(kernel))


@breaks("root-count")
def root_leaked(kernel: Kernel):
    page = first(kernel, lambda page: field(kernel, page, "root_count") == 1)
    yield numbered(kernel, page, "kvm_mmu_page.root_count", 2)


@breaks("tdp-root-count", "tdp")
def tdp_root_released(kernel: Kernel):
    yield numbered(kernel, tdp_root(kernel), "kvm_mmu_page.tdp_mmu_root_count", 0)


@breaks("prev-roots")
def root_twice(kernel: Kernel):
    """prev_roots[1] becomes what prev_roots[0] is."""
    held = {slot.slot: slot for slot in slots(kernel) if slot.name.startswith("0.0") and slot.page}
    vcpu = vcpu_addresses(kernel, vm_addresses(kernel)[0])[0]
    place = kernel.at(vcpu, "kvm_vcpu.arch.root_mmu.prev_roots")
    size = kernel.backend.size_of("kvm_mmu_root_info")
    yield place + size, word(held["prev0"].pgd) + word(held["prev0"].hpa)


@breaks("root-cr3")
def cr3_elsewhere(kernel: Kernel):
    vcpu = vcpu_addresses(kernel, vm_addresses(kernel)[0])[0]
    yield numbered(kernel, vcpu, "kvm_vcpu.arch.cr3", kernel.get(vcpu, "kvm_vcpu.arch.cr3") ^ 0x5000)


# ---- the TDP MMU


@breaks("tdp-roots", "tdp")
def tdp_roots_empty(kernel: Kernel):
    head = kernel.at(vm_addresses(kernel)[0], "kvm.arch.tdp_mmu_roots")
    yield head, word(head) * 2


@breaks("tdp-parent", "tdp")
def two_parents(kernel: Kernel):
    """A second entry to the table of a page."""
    page = tdp_page(kernel, 2)
    _, spte = next(tables_below(kernel, page))
    yield empty_entry(kernel, page), word(spte)


@breaks("tdp-pages", "tdp")
def tdp_pages_lost(kernel: Kernel):
    """One page less, on the list or by the number."""
    place = kernel.at(vm_addresses(kernel)[0], "kvm.arch.tdp_mmu_pages")
    if kernel.field("kvm.arch.tdp_mmu_pages").size == 8:
        yield place, word(kernel.number(place) + 1)
        return
    link = kernel.number(place)
    following = kernel.number(link)
    yield place, word(following)
    yield following + 8, word(place)


# ---- memslots


@breaks("slots", "tdp")
def slot_id_twice(kernel: Kernel):
    one, two = next(found[:2] for vm in vm_addresses(kernel) if len(found := list(slot_addresses(kernel, vm))) > 1)
    yield numbered(kernel, two, "kvm_memory_slot.id", kernel.get(one, "kvm_memory_slot.id"))


@breaks("slots")
def slot_hva(kernel: Kernel):
    slot = next(slot_addresses(kernel, vm_addresses(kernel)[0]))
    yield more(kernel, slot, "kvm_memory_slot.userspace_addr", 8)


@breaks("lpage-info")
def lpage_allowed(kernel: Kernel):
    vm, page = next((vm, page) for vm, page in pages(kernel) if is_plain(kernel, page, 1))
    gfn = field(kernel, page, "gfn")
    yield lpage_info(kernel, slot_of(kernel, vm, gfn), gfn, 2), bytes(4)


@breaks("huge-page", "tdp")
def huge_disallowed(kernel: Kernel):
    for vm in vm_addresses(kernel):
        for page in tdp_pages(kernel, vm):
            if role(kernel, page, "level") != 2:
                continue
            for gfn, at in leaves(kernel, page):
                if kernel.number(at) & WRITABLE:
                    place = lpage_info(kernel, slot_of(kernel, vm, gfn), gfn, 2)
                    yield place, (1).to_bytes(4, "little")
                    return


@breaks("write-protect")
def unsync_mark_lost(kernel: Kernel):
    """A page that the guest may write the table of is not unsync any more, for nobody: a lost mark."""
    for vm in vm_addresses(kernel):
        writable = {gfn for page in active_pages(kernel, vm) if role(kernel, page, "level") == 1
                    for gfn, at in leaves(kernel, page) if kernel.number(at) & WRITABLE}
        for page in active_pages(kernel, vm):
            if field(kernel, page, "unsync") and field(kernel, page, "gfn") in writable and has_one_parent(kernel, page):
                yield more(kernel, vm, "kvm.stat.mmu_unsync", -1)
                yield numbered(kernel, page, "kvm_mmu_page.unsync", 0)
                yield from marks_cleared(kernel, page)
                return


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


@breaks("write-track")
def tracking_lost(kernel: Kernel):
    vm, page = next((vm, page) for vm, page in pages(kernel) if is_plain(kernel, page, 2))
    gfn = field(kernel, page, "gfn")
    slot = slot_of(kernel, vm, gfn)
    array = slot_arrays(kernel, slot, "gfn_write_track" if kernel.find("kvm_memory_slot.arch.gfn_write_track")
                        else "gfn_track")[0]
    yield array + 2 * (gfn - kernel.get(slot, "kvm_memory_slot.base_gfn")), bytes(2)


# ---- memory


@breaks("host-pfn", "tdp")
def another_page(kernel: Kernel):
    at, spte = tdp_leaf(kernel, lambda spte, level: level == 1)
    yield at, word(spte + 0x1000)


@breaks("host-pfn")
def another_shadow_page(kernel: Kernel):
    _, at, spte = shadow_leaf(kernel)
    yield at, word(spte + 0x1000)


@breaks("guest-entry")
def guest_entry_gone(kernel: Kernel):
    """The guest's own entry, below which there is a shadow page."""
    vm, page = next((vm, page) for vm, page in pages(kernel) if is_plain(kernel, page, 2)
                    and not role(kernel, page, "has_4_byte_gpte") and any(tables_below(kernel, page)))
    at, _ = next(tables_below(kernel, page))
    gfn = field(kernel, page, "gfn")
    slot = slot_of(kernel, vm, gfn)
    hva = kernel.get(slot, "kvm_memory_slot.userspace_addr") + \
        (gfn - kernel.get(slot, "kvm_memory_slot.base_gfn")) * PAGE + at % PAGE
    yield kernel.direct(owner_memory(kernel, vm).physical(hva)), word(0)


# ---- totals


@breaks("page-limit")
def limit_low(kernel: Kernel):
    yield numbered(kernel, vm_addresses(kernel)[0], "kvm.arch.n_max_mmu_pages", 1)


@breaks("total-pages")
def total_high(kernel: Kernel):
    counter = kernel.address_of("kvm_total_used_mmu_pages")
    yield more(kernel, counter, "percpu_counter.count")
