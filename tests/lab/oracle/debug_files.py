"""Finds vmlinux and KVM's modules in a debug folder."""

from dataclasses import dataclass
from pathlib import Path

from lab.oracle.backend import Fault


@dataclass(frozen=True)
class DebugFiles:
    """The files of one release."""

    vmlinux: Path
    kvm: Path
    kvm_amd: Path


def find(folder: Path, release: str) -> DebugFiles:
    modules = folder / "lib" / "modules" / release / "kernel/arch/x86/kvm"
    files = DebugFiles(folder / "boot" / f"vmlinux-{release}", modules / "kvm.ko", modules / "kvm-amd.ko")
    for path in (files.vmlinux, files.kvm, files.kvm_amd):
        if not path.exists():
            raise Fault(f"{path} is missing")
    return files
