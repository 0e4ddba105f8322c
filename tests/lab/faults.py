"""Faults to plant in a dump of the shadow scenario through `--overlay`: which bytes change, found by the oracle."""

import struct
from collections.abc import Callable, Iterable, Iterator

from lab.oracle.core_file import CoreFile
from lab.oracle.kernel import U64, Kernel
from lab.oracle.machines import slot_addresses, vcpu_addresses, vm_addresses
from lab.oracle.rmaps import heads, slot_arrays
from lab.oracle.roots import Slot, slots
from lab.oracle.shadow_pages import FRAME, active_pages, field, is_present, role

WILD = 0xDEAD000000001000
POISON = 0xDEAD000000000100
ABSENT = 0x00007FFFFFFFF000  # a physical address far beyond the machine's memory

# Where in the list of the first VM's shadow pages it breaks.
BREAK = 10

# (virtual address, bytes)
Change = tuple[int, bytes]
Fault = Callable[[Kernel], Iterator[Change]]

FAULTS: dict[str, Fault] = {}


def fault(function: Fault) -> Fault:
    """The name in the tables of cases is the function's with hyphens."""
    FAULTS[function.__name__.replace("_", "-")] = function
    return function


def overlay(kernel: Kernel, name: str) -> str:
    """The text of an overlay file."""
    return overlay_text(kernel, FAULTS[name](kernel))


def overlay_text(kernel: Kernel, changes: Iterable[Change]) -> str:
    return "".join(f"{kernel.backend.physical(address):#x} {data.hex()}\n" for address, data in changes)


def word(value: int) -> bytes:
    return struct.pack("<Q", value)


def first_pages(kernel: Kernel) -> list[int]:
    return list(active_pages(kernel, vm_addresses(kernel)[0]))


def next_of(kernel: Kernel, page: int) -> int:
    return kernel.at(page, "kvm_mmu_page.link")


def root(kernel: Kernel, name: str = "0.0") -> Slot:
    return next(slot for slot in slots(kernel) if slot.name == name)


def table_of(kernel: Kernel, page: int) -> int:
    return field(kernel, page, "spt")


def unsync_entry(kernel: Kernel, page: int) -> tuple[int, int]:
    """(index, SPTE) of the first entry that the unsync walk takes."""
    bitmap = kernel.field("kvm_mmu_page.unsync_child_bitmap")
    bits = int.from_bytes(kernel.backend.read(page + bitmap.offset, bitmap.size), "little")
    index = (bits & -bits).bit_length() - 1
    return index, kernel.table(table_of(kernel, page))[index]


def child(kernel: Kernel, page: int) -> int:
    _, spte = unsync_entry(kernel, page)
    return kernel.page_private(spte & FRAME)


def user_frames(kernel: Kernel) -> Iterator[int]:
    """Physical addresses of pages of guest memory, which is user memory."""
    for page in first_pages(kernel):
        if role(kernel, page, "level") == 1:
            yield from (spte & FRAME for spte in kernel.table(table_of(kernel, page)) if is_present(spte))


def user_frame(kernel: Kernel) -> int:
    """One that is in no dump made with -d 31: not in the ELF one either, where that is at hand, since makedumpfile keeps
    a few such pages in a row there, as zeros."""
    elf = kernel.backend.core.path.with_name("vmcore.elf-d31")
    left = CoreFile(elf) if elf.exists() else None
    return next(frame for frame in user_frames(kernel) if left is None or not left.has(frame))


def user_address(kernel: Kernel) -> int:
    """The same in the direct map."""
    return kernel.direct(user_frame(kernel))


def owner_change(kernel: Kernel, table: int, page: int) -> Change:
    """The struct page of a table names another shadow page."""
    frame = kernel.vmemmap_base + (table >> 12) * kernel.page_size
    return kernel.at(frame, "page.private"), word(page)


@fault
def active_loop(kernel: Kernel):
    """With both links, so that only going round shows it."""
    pages = first_pages(kernel)
    yield next_of(kernel, pages[BREAK]), word(next_of(kernel, pages[BREAK // 2]))
    yield next_of(kernel, pages[BREAK // 2]) + 8, word(next_of(kernel, pages[BREAK]))


@fault
def active_one_way_loop(kernel: Kernel):
    pages = first_pages(kernel)
    yield next_of(kernel, pages[BREAK]), word(next_of(kernel, pages[BREAK // 2]))


@fault
def active_self_loop(kernel: Kernel):
    """With both links, too."""
    link = next_of(kernel, first_pages(kernel)[BREAK])
    yield link, word(link) * 2


@fault
def active_poison(kernel: Kernel):
    yield next_of(kernel, first_pages(kernel)[BREAK]), word(POISON)


@fault
def active_excluded(kernel: Kernel):
    yield next_of(kernel, first_pages(kernel)[BREAK]), word(user_address(kernel))


@fault
def active_page_excluded(kernel: Kernel):
    """As if a page of the list were excluded itself: the links of both its neighbours lead to user memory."""
    pages = first_pages(kernel)
    yield next_of(kernel, pages[BREAK]), word(user_address(kernel))
    yield next_of(kernel, pages[BREAK + 2]) + 8, word(user_address(kernel))


@fault
def vm_list_null(kernel: Kernel):
    """In the second of the list, the second newest VM."""
    yield kernel.at(vm_addresses(kernel)[-2], "kvm.vm_list"), word(0)


@fault
def vm_list_excluded(kernel: Kernel):
    yield kernel.at(vm_addresses(kernel)[-2], "kvm.vm_list"), word(user_address(kernel))


@fault
def vm_list_head_null(kernel: Kernel):
    yield kernel.address_of("vm_list"), word(0)


@fault
def btf_of_vmlinux(kernel: Kernel):
    yield kernel.address_of("__start_BTF"), word(0)


def btf_of_module(kernel: Kernel, name: str) -> tuple[int, int]:
    """Its struct btf_module and its struct btf."""
    for module in kernel.list_of(kernel.address_of("btf_modules"), "btf_module.list"):
        btf = kernel.get(module, "btf_module.btf")
        if kernel.text(kernel.at(btf, "btf.name")) == name:
            return module, btf
    raise LookupError(f"{name} has no BTF")


@fault
def btf_of_kvm(kernel: Kernel):
    yield kernel.get(btf_of_module(kernel, "kvm")[1], "btf.data"), word(0)


@fault
def btf_list_loop(kernel: Kernel):
    entry = kernel.at(btf_of_module(kernel, "kvm")[0], "btf_module.list")
    yield entry, word(entry)


@fault
def vcpu_count(kernel: Kernel):
    yield kernel.at(vm_addresses(kernel)[0], "kvm.online_vcpus"), struct.pack("<I", 1 << 31)


@fault
def vcpu_array(kernel: Kernel):
    yield kernel.at(vm_addresses(kernel)[0], "kvm.vcpu_array.xa_head"), word(WILD + 2)


@fault
def vcpu_array_excluded(kernel: Kernel):
    """The first VM has several vCPUs, so the head leads to a node, which is marked by 2."""
    yield kernel.at(vm_addresses(kernel)[0], "kvm.vcpu_array.xa_head"), word(user_address(kernel) + 2)


@fault
def vcpu_mmu(kernel: Kernel):
    vcpu = vcpu_addresses(kernel, vm_addresses(kernel)[0])[0]
    yield kernel.at(vcpu, "kvm_vcpu.arch.mmu"), word(WILD)


@fault
def root_hpa(kernel: Kernel):
    vcpu = vcpu_addresses(kernel, vm_addresses(kernel)[0])[0]
    yield kernel.at(vcpu, "kvm_vcpu.arch.root_mmu.root.hpa"), word(ABSENT)


@fault
def root_excluded(kernel: Kernel):
    """The shadow page of root 0.0."""
    yield owner_change(kernel, root(kernel).hpa & FRAME, user_address(kernel))


@fault
def child_page_excluded(kernel: Kernel):
    """The shadow page below root 0.0."""
    _, spte = unsync_entry(kernel, root(kernel).page)
    yield owner_change(kernel, spte & FRAME, user_address(kernel))


@fault
def child_excluded(kernel: Kernel):
    """The table below root 0.0, as the hardware finds it."""
    index, spte = unsync_entry(kernel, root(kernel).page)
    yield table_of(kernel, root(kernel).page) + 8 * index, word(spte & ~FRAME | user_frame(kernel))


@fault
def wild_spt(kernel: Kernel):
    """In the page below root 0.0."""
    yield kernel.at(child(kernel, root(kernel).page), "kvm_mmu_page.spt"), word(WILD)


@fault
def wild_child(kernel: Kernel):
    """A present entry of root 0.0 to memory that the machine does not have."""
    index, spte = unsync_entry(kernel, root(kernel).page)
    yield table_of(kernel, root(kernel).page) + 8 * index, word(spte & ~FRAME | ABSENT & FRAME)


@fault
def bitmap_ones(kernel: Kernel):
    """The bits of root 0.0 do not fit their number any more."""
    place = kernel.field("kvm_mmu_page.unsync_child_bitmap")
    yield root(kernel).page + place.offset, b"\xff" * place.size


@fault
def bitmap_stale(kernel: Kernel):
    """Nearly all bits of root 0.0 are stale, which is legal."""
    yield from bitmap_ones(kernel)
    yield kernel.at(root(kernel).page, "kvm_mmu_page.unsync_children"), struct.pack("<I", 512)


@fault
def self_table(kernel: Kernel):
    """The page below root 0.0 has itself as a child."""
    page = child(kernel, root(kernel).page)
    index, spte = unsync_entry(kernel, page)
    yield table_of(kernel, page) + 8 * index, word(spte & ~FRAME | kernel.physical_of_direct(table_of(kernel, page)))


@fault
def slot_tree_wild(kernel: Kernel):
    active = kernel.get(vm_addresses(kernel)[0], "kvm.memslots")  # the first of the array
    yield kernel.at(active & U64, "kvm_memslots.gfn_tree"), word(WILD)


@fault
def slot_tree_excluded(kernel: Kernel):
    active = kernel.get(vm_addresses(kernel)[0], "kvm.memslots")
    yield kernel.at(active & U64, "kvm_memslots.gfn_tree"), word(user_address(kernel))


@fault
def slot_tree_loop(kernel: Kernel):
    """A slot that is its own left child."""
    vm = vm_addresses(kernel)[0]
    slots_of_vm = kernel.number(kernel.at(vm, "kvm.memslots"))
    node = next(slot_addresses(kernel, vm)) + kernel.offset("kvm_memory_slot.gfn_node") + \
        kernel.get(slots_of_vm, "kvm_memslots.node_idx") * kernel.backend.size_of("rb_node")
    yield kernel.at(node, "rb_node.rb_left"), word(node)


@fault
def descriptor_loop(kernel: Kernel):
    """A pte_list_desc of the parents of a shadow page that is its own successor."""
    value = next(value for vm in vm_addresses(kernel) for page in active_pages(kernel, vm)
                 if (value := field(kernel, page, "parent_ptes")) & 1)
    descriptor = value & ~3
    yield kernel.at(descriptor, "pte_list_desc.more"), word(descriptor)


@fault
def descriptor_count(kernel: Kernel):
    value = next(value for vm in vm_addresses(kernel) for page in active_pages(kernel, vm)
                 if (value := field(kernel, page, "parent_ptes")) & 1)
    place = kernel.field("pte_list_desc.spte_count")
    yield (value & ~3) + place.offset, (1 << 31).to_bytes(place.size, "little")


def first_rmap(kernel: Kernel) -> int:
    """The kvm_rmap_head of the first frame of the first VM."""
    return slot_arrays(kernel, next(slot_addresses(kernel, vm_addresses(kernel)[0])), "rmap")[0]


@fault
def rmap_wild(kernel: Kernel):
    """An SPTE that is in no memory."""
    yield first_rmap(kernel), word(WILD)


@fault
def rmap_loop(kernel: Kernel):
    """A pte_list_desc of a rmap that is its own successor."""
    value = next(value for vm in vm_addresses(kernel) for slot in slot_addresses(kernel, vm)
                 for _, _, value in heads(kernel, slot) if value & 1)
    yield kernel.at(value & ~3, "pte_list_desc.more"), word(value & ~3)
    yield first_rmap(kernel), word(value)


@fault
def level_0(kernel: Kernel):
    yield from level_of_child(kernel, 0)


@fault
def level_15(kernel: Kernel):
    yield from level_of_child(kernel, 15)


@fault
def root_level_15(kernel: Kernel):
    yield level_change(kernel, root(kernel).page, 15)


def level_of_child(kernel: Kernel, level: int):
    yield level_change(kernel, child(kernel, root(kernel).page), level)


def level_change(kernel: Kernel, page: int, level: int) -> Change:
    value = kernel.get(page, "kvm_mmu_page.role.word")
    return kernel.at(page, "kvm_mmu_page.role"), struct.pack("<I", value & ~15 | level)


# A name that a user gave its process: a colour, a title for the terminal, quotes and a line end.
BAD_NAME = b"\x1b[31m\"\\\n\r\x07\xff'$`"


@fault
def bad_name(kernel: Kernel):
    """15 bytes and the NUL that ends them."""
    for vm in vm_addresses(kernel):
        owner = kernel.get(kernel.get(vm, "kvm.mm"), "mm_struct.owner")
        yield kernel.at(owner, "task_struct.comm"), BAD_NAME.ljust(16, b"\0")
