"""The records of `vcpus`."""

from lab.oracle.kernel import Kernel
from lab.oracle.machines import vcpu_addresses, vm_addresses

MODES = ("OUTSIDE_GUEST_MODE", "IN_GUEST_MODE", "EXITING_GUEST_MODE", "READING_SHADOW_PAGE_TABLES")
MP_STATES = ("runnable", "uninitialized", "init_received", "halted", "sipi_received", "stopped", "check_stop",
             "operating", "load", "ap_reset_hold", "suspended")

# KVM_REQ_*: the first eight are common to all architectures, x86 counts from 8.
REQUESTS = {0: "TLB_FLUSH", 1: "VM_DEAD", 2: "UNBLOCK", 3: "DIRTY_RING_SOFT_FULL"} | {8 + bit: name for bit, name in {
    0: "MIGRATE_TIMER", 1: "REPORT_TPR_ACCESS", 2: "TRIPLE_FAULT", 3: "MMU_SYNC", 4: "CLOCK_UPDATE",
    5: "LOAD_MMU_PGD", 6: "EVENT", 7: "APF_HALT", 8: "STEAL_UPDATE", 9: "NMI", 10: "PMU", 11: "PMI", 12: "SMI",
    13: "MASTERCLOCK_UPDATE", 14: "MCLOCK_INPROGRESS", 15: "SCAN_IOAPIC", 16: "GLOBAL_CLOCK_UPDATE",
    17: "APIC_PAGE_RELOAD", 18: "HV_CRASH", 19: "IOAPIC_EOI_EXIT", 20: "HV_RESET", 21: "HV_EXIT", 22: "HV_STIMER",
    23: "LOAD_EOI_EXITMAP", 24: "GET_NESTED_STATE_PAGES", 25: "APICV_UPDATE", 26: "TLB_FLUSH_CURRENT",
    27: "TLB_FLUSH_GUEST", 28: "APF_READY", 29: "MSR_FILTER_CHANGED", 30: "UPDATE_CPU_DIRTY_LOGGING",
    31: "MMU_FREE_OBSOLETE_ROOTS", 32: "HV_TLB_FLUSH", 34: "UPDATE_PROTECTED_GUEST_STATE"}.items()}

# Bits of regs_avail after the 17 general registers.
REGISTER_BITS = {"cr0": 18, "cr3": 19, "cr4": 20}

CR0_PG, CR4_PAE, CR4_LA57, EFER_LMA = 1 << 31, 1 << 5, 1 << 12, 1 << 10

# Of TASK_REPORT, lowest first; the letters of fs/proc/array.c.
TASK_STATES = "RSDTtXZP"
TASK_REPORT = 0x7F
TASK_IDLE = 0x402


def vcpu_records(kernel: Kernel) -> list[dict]:
    return [vcpu_record(kernel, index, vcpu)
            for index, vm in enumerate(vm_addresses(kernel)) for vcpu in vcpu_addresses(kernel, vm)]


def vcpu_record(kernel: Kernel, vm: int, vcpu: int) -> dict:
    cpu = kernel.get(vcpu, "kvm_vcpu.cpu", signed=True)
    return {
        "vm": vm,
        "vcpu": kernel.get(vcpu, "kvm_vcpu.vcpu_id"),
        "idx": kernel.get(vcpu, "kvm_vcpu.vcpu_idx"),
        "kvm_vcpu": hex(vcpu),
        **thread_fields(kernel, kernel.get(vcpu, "kvm_vcpu.pid")),
        "cpu": None if cpu < 0 else cpu,
        "mode": MODES[kernel.get(vcpu, "kvm_vcpu.mode")],
        "mp_state": MP_STATES[kernel.get(vcpu, "kvm_vcpu.arch.mp_state")],
        "requests": request_words(kernel.get(vcpu, "kvm_vcpu.requests")),
        "mmu": current_mmu(kernel, vcpu),
        **register_fields(kernel, vcpu),
    }


def request_words(requests: int) -> list[str]:
    return [REQUESTS.get(bit, f"bit{bit}") for bit in range(64) if requests >> bit & 1]


def current_mmu(kernel: Kernel, vcpu: int) -> str:
    """Where arch.mmu points."""
    guest = kernel.at(vcpu, "kvm_vcpu.arch.guest_mmu")
    return "guest_mmu" if kernel.get(vcpu, "kvm_vcpu.arch.mmu") == guest else "root_mmu"


def thread_fields(kernel: Kernel, pid: int) -> dict:
    """Of the thread that ran the vCPU last; none before its first run."""
    if not pid:
        return {"tid": None, "state": None}
    tid = kernel.number(kernel.at(pid, "pid.numbers") + kernel.offset("upid.nr"), 4)
    link = kernel.number(kernel.at(pid, "pid.tasks"))
    return {"tid": tid, "state": task_state(kernel, link - kernel.offset("task_struct.pid_links")) if link else None}


def task_state(kernel: Kernel, task: int) -> str:
    state = kernel.get(task, "task_struct.__state")
    if state & TASK_IDLE == TASK_IDLE:
        return "I"
    reported = (state | kernel.get(task, "task_struct.exit_state")) & TASK_REPORT
    return TASK_STATES[reported.bit_length()]


def register_fields(kernel: Kernel, vcpu: int) -> dict:
    cr0, cr3, cr4, efer = (kernel.get(vcpu, f"kvm_vcpu.arch.{name}") for name in ("cr0", "cr3", "cr4", "efer"))
    available = kernel.get(vcpu, "kvm_vcpu.arch.regs_avail")
    return {
        "paging": paging_mode(cr0, cr4, efer),
        "cr0": hex(cr0),
        "cr3": hex(cr3),
        "cr4": hex(cr4),
        "efer": hex(efer),
        "stale": [name for name, bit in REGISTER_BITS.items() if not available >> bit & 1],
    }


def paging_mode(cr0: int, cr4: int, efer: int) -> str:
    if not cr0 & CR0_PG:
        return "none"
    if efer & EFER_LMA:
        return "5-level" if cr4 & CR4_LA57 else "4-level"
    return "pae" if cr4 & CR4_PAE else "32-bit"
