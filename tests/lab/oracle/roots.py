"""The records of `roots`, and the distinct root tables that `levels` and `unsync` start from."""

from dataclasses import dataclass

from lab.oracle.kernel import U64, Kernel
from lab.oracle.machines import vcpu_addresses, vm_addresses
from lab.oracle.shadow_pages import FRAME, field, page_of_table, role, role_text, unsync_children
from lab.oracle.vcpus import current_mmu

PAE_PRESENT = 1
PAE_ENTRIES = 4
PAE_LEVEL = 3


@dataclass(frozen=True)
class Slot:
    """A place of a vCPU where a root can be. `hpa` is None if there is none, `page` if the table has no shadow page."""

    vm: int
    vcpu: int
    mmu: str
    slot: str
    name: str
    pgd: int | None
    hpa: int | None = None
    level: int | None = None
    page: int | None = None


def slots(kernel: Kernel) -> list[Slot]:
    return [slot for index, vm in enumerate(vm_addresses(kernel)) for vcpu in vcpu_addresses(kernel, vm)
            for mmu in ("root_mmu", "guest_mmu") if is_used(kernel, vcpu, mmu)
            for slot in mmu_slots(kernel, index, vcpu, mmu)]


def is_used(kernel: Kernel, vcpu: int, mmu: str) -> bool:
    """Not by the whole role: 6.12 sets "invalid" in that of a guest_mmu never used (kvm_mmu_after_set_cpuid)."""
    return mmu == "root_mmu" or current_mmu(kernel, vcpu) == mmu or \
        kernel.get(vcpu, f"kvm_vcpu.arch.{mmu}.root_role.level") != 0


def mmu_slots(kernel: Kernel, vm: int, vcpu: int, mmu: str):
    """The current root, the entries of its PAE table if it is one, the previous roots."""
    address = kernel.at(vcpu, f"kvm_vcpu.arch.{mmu}")
    current = slot_at(kernel, vm, vcpu, mmu, "current", kernel.at(address, "kvm_mmu.root"))
    yield current
    if current.hpa is not None and current.page is None and is_pae_table(kernel, address, current.hpa):
        for i in range(PAE_ENTRIES):
            yield pae_slot(kernel, current, i, kernel.get(address, "kvm_mmu.pae_root") + 8 * i)
    size = kernel.backend.size_of("kvm_mmu_root_info")
    previous = kernel.field("kvm_mmu.prev_roots")
    for i in range(previous.size // size):
        yield slot_at(kernel, vm, vcpu, mmu, f"prev{i}", address + previous.offset + i * size)


def is_pae_table(kernel: Kernel, mmu: int, hpa: int) -> bool:
    table = kernel.get(mmu, "kvm_mmu.pae_root")
    return table != 0 and kernel.physical_of_direct(table) == hpa & FRAME


def slot_at(kernel: Kernel, vm: int, vcpu: int, mmu: str, slot: str, info: int) -> Slot:
    """`info` is the address of a kvm_mmu_root_info."""
    name = f"{vm}.{kernel.get(vcpu, 'kvm_vcpu.vcpu_id')}"
    if mmu != current_mmu(kernel, vcpu):
        name += f".{mmu}"
    if slot != "current":
        name += f".{slot}"
    pgd, hpa = kernel.get(info, "kvm_mmu_root_info.pgd"), kernel.get(info, "kvm_mmu_root_info.hpa")
    place = (vm, kernel.get(vcpu, "kvm_vcpu.vcpu_id"), mmu, slot, name, pgd)
    if hpa == U64:
        return Slot(*place)
    page = page_of_table(kernel, hpa & FRAME)
    level = role(kernel, page, "level") if page else kernel.get(vcpu, f"kvm_vcpu.arch.{mmu}.root_role.level")
    return Slot(*place, hpa, level, page)


def pae_slot(kernel: Kernel, table: Slot, index: int, entry_address: int) -> Slot:
    entry = kernel.number(entry_address)
    place = (table.vm, table.vcpu, table.mmu, f"current.pae{index}", f"{table.name}.pae{index}")
    if not entry & PAE_PRESENT:
        return Slot(*place, None)
    page = page_of_table(kernel, entry & FRAME)
    return Slot(*place, table.pgd, entry & FRAME, role(kernel, page, "level"), page)


def root_records(kernel: Kernel) -> list[dict]:
    return [root_record(kernel, slot) for slot in slots(kernel)]


def root_record(kernel: Kernel, slot: Slot) -> dict:
    valid, page = slot.hpa is not None, slot.page
    return {
        "vm": slot.vm,
        "vcpu": slot.vcpu,
        "mmu": slot.mmu,
        "slot": slot.slot,
        "name": slot.name,
        "valid": valid,
        "pgd": hex(slot.pgd) if valid else None,
        "hpa": hex(slot.hpa) if valid else None,
        "sp": hex(page) if page else None,
        "level": slot.level,
        "gfn": hex(field(kernel, page, "gfn")) if page else None,
        "root_count": field(kernel, page, "root_count") if page else None,
        "unsync_children": unsync_children(kernel, page) if page else None,
        "role_text": role_text(kernel, page) if page else None,
        "last_pgd": None if valid or slot.pgd is None else hex(slot.pgd),
    }


def distinct_roots(kernel: Kernel) -> list[Slot]:
    """Every valid root table once, under the first name it is met by."""
    found: dict[int, Slot] = {}
    for slot in slots(kernel):
        if slot.hpa is not None:
            found.setdefault(slot.hpa & FRAME, slot)
    return list(found.values())
