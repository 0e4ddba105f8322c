"""The commands the oracle knows, by the product's words for them."""

from pathlib import Path

from lab.oracle.kernel import Kernel
from lab.oracle.levels import level_records
from lab.oracle.machines import slot_records, vm_records
from lab.oracle.own_backend import OwnBackend
from lab.oracle.roots import root_records
from lab.oracle.shadow_pages import page_records
from lab.oracle.unsync import unsync_records
from lab.oracle.vcpus import vcpu_records

COMMANDS = {
    "vms": vm_records,
    "vcpus": vcpu_records,
    "roots": root_records,
    "pages": page_records,
    "pages --tdp": lambda kernel: page_records(kernel, tdp=True),
    "slots": slot_records,
    "levels": level_records,
    "unsync": unsync_records,
}

BACKENDS = ("own", "drgn")


def open_kernel(backend: str, dump: Path, debug: Path) -> Kernel:
    if backend == "own":
        return Kernel(OwnBackend(dump, debug))
    from lab.oracle.drgn_backend import DrgnBackend  # only where drgn is installed
    return Kernel(DrgnBackend(dump, debug))
