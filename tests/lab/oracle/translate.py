"""The records of `translate VM ADDRESS`: the walk of the owner's page tables is that of HostMemory."""

from lab.oracle.backend import Fault
from lab.oracle.host_memory import FRAME, PAGE, HostMemory
from lab.oracle.kernel import Kernel
from lab.oracle.machines import slot_addresses, vm_addresses


def owner_memory(kernel: Kernel, vm: int) -> HostMemory:
    """Needs the own backend."""
    own = kernel.backend.memory
    pgd = kernel.get(kernel.get(vm, "kvm.mm"), "mm_struct.pgd")
    return HostMemory(own.core, kernel.physical_of_direct(pgd), own.levels)


def translate_records(kernel: Kernel, index: int, gpa: int, rmaps: list[dict]) -> list[dict]:
    """`rmaps`: what `rmap VM` should say."""
    vm = vm_addresses(kernel)[index]
    memory, gfn = owner_memory(kernel, vm), gpa // PAGE
    records = []
    for slot in slot_addresses(kernel, vm):
        base, pages, hva = (kernel.get(slot, f"kvm_memory_slot.{name}") for name in ("base_gfn", "npages", "userspace_addr"))
        if not base <= gfn < base + pages:
            continue
        address = hva + gpa - PAGE * base
        hpa = host_physical(memory, address)
        as_id = kernel.get(slot, "kvm_memory_slot.as_id")
        mapping = [record for record in rmaps if record["as_id"] == as_id
                   and int(record["gfn"], 16) <= gfn < int(record["gfn"], 16) + 512 ** (record["level"] - 1)]
        targets = [spte_target(record, gpa) for record in mapping]
        records.append({
            "vm": index, "gpa": hex(gpa), "gfn": hex(gfn), "as_id": as_id,
            "slot": kernel.get(slot, "kvm_memory_slot.id", signed=True), "hva": hex(address),
            "host_state": "absent" if hpa is None else "mapped", "hpa": None if hpa is None else hex(hpa),
            "agree": all(target == hpa for target in targets) if targets else None,
            "mapped by": sorted((record["spte_address"], hex(target)) for record, target in zip(mapping, targets)),
        })
    return records


def host_physical(memory: HostMemory, address: int) -> int | None:
    try:
        return memory.physical(address)
    except Fault:
        return None


def spte_target(record: dict, gpa: int) -> int:
    size = PAGE * 512 ** (record["level"] - 1)
    return int(record["spte"], 16) & FRAME & ~(size - 1) | gpa % size
