"""The lab's scenarios: what machine each boots, with which guests, and how it can be dumped."""

from dataclasses import dataclass

ALL_SERIES = ("6.1", "6.12")
RAW = ("elf", "paging")


@dataclass(frozen=True)
class Scenario:
    """One row of the table. `guests` is a name in the guest runner's own table; None: no guests.

    `kvm` and `kvm_amd` are the modules' parameters; kvm_amd None: KVM is not loaded. `captures` are the formats that
    can only be taken of the running machine. `swap`: there is 1 MiB of swap space, on a RAM disk.
    """

    name: str
    purpose: str
    guests: str | None = None
    kvm_amd: str | None = "npt=0"
    kvm: str = ""
    cpu: str = "EPYC,+svm"
    memory_mib: int = 256
    vmcoreinfo: bool = True
    series: tuple = ALL_SERIES
    captures: tuple = RAW
    swap: bool = False


SCENARIOS = (
    Scenario("shadow", "shadow MMU: every paging mode, unsync leaves, stale and invalid roots",
             guests="shadow", captures=RAW + ("flattened",)),
    Scenario("tdp", "TDP MMU: slots of every kind, small and huge pages, MMIO",
             guests="tdp", kvm_amd="npt=1", captures=RAW + ("flattened",)),
    Scenario("la57", "as shadow, on a host with 5-level paging, with a 5-level guest",
             guests="shadow", cpu="max,+svm"),
    Scenario("modes-shadow", "guest page tables of every paging mode, with known translations and faults",
             guests="modes", cpu="max,+svm"),
    Scenario("modes-tdp", "as modes-shadow, with the TDP MMU",
             guests="modes", kvm_amd="npt=1", cpu="max,+svm"),
    Scenario("splits", "each reason for a small mapping, pages that the owner has lost, a stale MMIO entry",
             guests="splits", kvm_amd="npt=1", kvm="nx_huge_pages=force", swap=True),
    Scenario("splits-shadow", "as splits, with the shadow MMU",
             guests="splits", kvm="nx_huge_pages=force", swap=True),
    Scenario("nested", "a guest inside a guest, with nested paging: the vCPU runs on guest_mmu",
             guests="nested", kvm_amd="npt=1 nested=1"),
    Scenario("big-shadow", "20,000 shadow pages",
             guests="big-shadow", memory_mib=640),
    Scenario("big-tdp", "250,000 SPTEs of 4 KiB",
             guests="big-tdp", kvm_amd="npt=1", memory_mib=1536),
    Scenario("no-vm", "KVM is loaded, there is no VM", series=("6.1",)),
    Scenario("no-kvm", "KVM is not loaded", kvm_amd=None, series=("6.1",)),
    Scenario("no-vmcoreinfo", "a dump without VMCOREINFO", vmcoreinfo=False, series=("6.1",)),
)

GROUPS = {
    "big": ("big-shadow", "big-tdp"),
    "bad": ("no-vm", "no-kvm", "no-vmcoreinfo"),
    "all": tuple(scenario.name for scenario in SCENARIOS),
}
