"""A fault for each rule of `audit` about roles, roots, the TDP MMU, memslots and memory."""

from lab.audit_places import (WRITABLE, breaks, empty_entry, first, has_one_parent, is_plain, lpage_info, marks_cleared,
                              more, numbered, pages, shadow_leaf, slot_of, tables_below, tdp_leaf, tdp_page, tdp_root, vcpus)
from lab.faults import user_frame, word
from lab.oracle.kernel import Kernel
from lab.oracle.machines import slot_addresses, vcpu_addresses, vm_addresses
from lab.oracle.rmaps import leaves, slot_arrays
from lab.oracle.roots import slots
from lab.oracle.shadow_pages import active_pages, field, role, tdp_pages
from lab.oracle.translate import PAGE, owner_memory

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
