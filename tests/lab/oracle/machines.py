"""The records of `vms` and `slots`, and how VMs, vCPUs and memslots are found."""

from lab.oracle.kernel import Kernel

VCPUS_MAX = 4096
ADDRESS_SPACES_MAX = 2
SLOT_FLAGS = ((1 << 0, "dirty_log"), (1 << 1, "readonly"), (1 << 2, "guest_memfd"), (1 << 16, "invalid"))
ERRORS = (1 << 64) - 4096


def vm_addresses(kernel: Kernel) -> list[int]:
    """Of every struct kvm in order of creation; the list has the newest first."""
    return list(kernel.list_of(kernel.address_of("vm_list"), "kvm.vm_list"))[::-1]


def vcpu_addresses(kernel: Kernel, vm: int) -> list[int]:
    count = kernel.get(vm, "kvm.online_vcpus")
    assert count <= VCPUS_MAX
    return [kernel.xarray_entry(kernel.at(vm, "kvm.vcpu_array"), i) for i in range(count)]


def slot_addresses(kernel: Kernel, vm: int):
    """Every slot of the active set of every address space, by base gfn."""
    for space in range(ADDRESS_SPACES_MAX):
        slots = kernel.number(kernel.at(vm, "kvm.memslots") + 8 * space)
        if not slots:
            continue
        which = kernel.get(slots, "kvm_memslots.node_idx")
        offset = kernel.offset("kvm_memory_slot.gfn_node") + which * kernel.backend.size_of("rb_node")
        for node in kernel.tree_nodes(kernel.at(slots, "kvm_memslots.gfn_tree")):
            yield node - offset


def slot_records(kernel: Kernel) -> list[dict]:
    return [slot_record(kernel, index, slot)
            for index, vm in enumerate(vm_addresses(kernel)) for slot in slot_addresses(kernel, vm)]


def slot_record(kernel: Kernel, vm: int, slot: int) -> dict:
    base = kernel.get(slot, "kvm_memory_slot.base_gfn")
    pages = kernel.get(slot, "kvm_memory_slot.npages")
    flags = kernel.get(slot, "kvm_memory_slot.flags")
    return {
        "vm": vm,
        "as_id": kernel.get(slot, "kvm_memory_slot.as_id"),
        "id": kernel.get(slot, "kvm_memory_slot.id", signed=True),
        "base_gfn": hex(base),
        "end_gfn": hex(base + pages),
        "npages": pages,
        "hva": hex(kernel.get(slot, "kvm_memory_slot.userspace_addr")),
        "flags": [word for bit, word in SLOT_FLAGS if flags & bit],
    }


def tdp_mmu_enabled(kernel: Kernel, vm: int) -> bool:
    if kernel.find("kvm_arch.tdp_mmu_enabled"):
        return bool(kernel.get(vm, "kvm.arch.tdp_mmu_enabled"))
    return bool(kernel.variable("tdp_mmu_enabled", 1))


def mmu_mode(kernel: Kernel, vm: int) -> str:
    if not kernel.variable("tdp_enabled", 1):
        return "shadow"
    return "tdp_mmu" if tdp_mmu_enabled(kernel, vm) else "tdp"


def vm_records(kernel: Kernel) -> list[dict]:
    return [vm_record(kernel, index, vm) for index, vm in enumerate(vm_addresses(kernel))]


def vm_record(kernel: Kernel, index: int, vm: int) -> dict:
    active = kernel.list_of(kernel.at(vm, "kvm.arch.active_mmu_pages"), "kvm_mmu_page.link")
    tdp_roots = kernel.list_of(kernel.at(vm, "kvm.arch.tdp_mmu_roots"), "kvm_mmu_page.link")
    return {
        "vm": index,
        "id": debugfs_name(kernel, kernel.get(vm, "kvm.debugfs_dentry")),
        "kvm": hex(vm),
        **owner_fields(kernel, vm),
        "vcpus": kernel.get(vm, "kvm.online_vcpus"),
        "slots": len(list(slot_addresses(kernel, vm))),
        "mmu_mode": mmu_mode(kernel, vm),
        "mmu_pages_used": kernel.get(vm, "kvm.arch.n_used_mmu_pages"),
        "mmu_pages_max": kernel.get(vm, "kvm.arch.n_max_mmu_pages"),
        "active_pages": len(list(active)),
        "tdp_roots": len(list(tdp_roots)),
        "mmu_valid_gen": kernel.get(vm, "kvm.arch.mmu_valid_gen"),
        "invalidate_seq": kernel.get(vm, "kvm.mmu_invalidate_seq"),
        "invalidate_in_progress": kernel.get(vm, "kvm.mmu_invalidate_in_progress"),
    }


def debugfs_name(kernel: Kernel, dentry: int) -> str | None:
    if dentry == 0 or dentry >= ERRORS:
        return None
    return kernel.text(kernel.number(kernel.at(dentry, "dentry.d_name") + kernel.offset("qstr.name")))


def owner_fields(kernel: Kernel, vm: int) -> dict:
    memory = kernel.get(vm, "kvm.mm")
    owner = kernel.get(memory, "mm_struct.owner") if memory else 0
    comm = kernel.field("task_struct.comm")
    return {
        "pid": kernel.get(owner, "task_struct.tgid") if owner else None,
        "userspace_pid": kernel.get(vm, "kvm.userspace_pid"),
        "comm": kernel.text(owner + comm.offset, comm.size) if owner else None,
        "cgroup": cgroup_path(kernel, owner) if owner else None,
    }


def cgroup_path(kernel: Kernel, task: int) -> str:
    """In the unified hierarchy; its root is "/"."""
    group = kernel.get(kernel.get(task, "task_struct.cgroups"), "css_set.dfl_cgrp")
    node = kernel.get(group, "cgroup.kn")
    names = []
    while parent := kernel.get(node, "kernfs_node.parent"):
        names.append(kernel.text(kernel.get(node, "kernfs_node.name")))
        node = parent
    return "/" + "/".join(reversed(names))
