"""Makes the files of bad_input/*.toml: damaged dumps, and debug folders with the wrong things in them."""

import os
import shutil
import struct
import subprocess
from pathlib import Path

from lab.lab_dumps import LabDump
from lab.oracle.commands import open_kernel
from lab.oracle.debug_files import DebugFiles, find
from lab.oracle.machines import vm_addresses
from lab.oracle.shadow_pages import active_pages

ELF_HEADER_BYTES = 64


def make_dump(recipe: str, dump: LabDump, folder: Path) -> Path:
    """A file in `folder` made of a good dump."""
    target = folder / "vmcore"
    if recipe == "folder":
        target.mkdir()
    elif recipe == "program":
        target = Path("/bin/true")
    elif recipe in TEXTS:
        target.write_text(TEXTS[recipe])
    elif recipe == "elf-wild-headers":
        target.write_bytes(wild_headers(dump.path))
    elif recipe != "missing":
        copy_start(dump.path, target, CUTS[recipe](dump))
    return target


TEXTS = {"empty": "", "text": "This is no dump of anything.\n" * 1000}


def copy_start(source: Path, target: Path, size: int) -> None:
    shutil.copyfile(source, target)
    os.truncate(target, size)


def wild_headers(path: Path) -> bytes:
    with open(path, "rb") as file:
        header = bytearray(file.read(ELF_HEADER_BYTES))
        rest = file.read(1 << 20)
    struct.pack_into("<Q", header, 32, 1 << 40)
    return bytes(header) + rest


def program_headers(dump: LabDump) -> list[tuple[int, int, int, int]]:
    """(type, offset, physical address, bytes in the file)"""
    return list(open_kernel("own", dump.path, dump.debug).backend.core.program_headers())


def in_program_headers(dump: LabDump) -> int:
    with open(dump.path, "rb") as file:
        (table,) = struct.unpack_from("<Q", file.read(ELF_HEADER_BYTES), 32)
    return table + 10


def before_last_page(dump: LabDump) -> int:
    """The file then ends inside a kvm_mmu_page, the one with the highest physical address."""
    kernel = open_kernel("own", dump.path, dump.debug)
    last = max(kernel.backend.physical(page) for vm in vm_addresses(kernel) for page in active_pages(kernel, vm))
    offset, _ = kernel.backend.core.offset_of(last)
    return offset + 8


def kdump_header(path: Path) -> tuple[int, int, int]:
    """(block size, blocks of the sub header, blocks of the bitmaps) of a diskdump header."""
    with open(path, "rb") as file:
        return struct.unpack_from("<3i", file.read(4096), 428)


def in_bitmaps(dump: LabDump) -> int:
    block, sub_header, bitmaps = kdump_header(dump.path)
    return block * (1 + sub_header) + block * bitmaps // 2 + 100


CUTS = {
    "elf-cut-in-headers": in_program_headers,
    "elf-cut-early": lambda dump: min(offset for kind, offset, _, _ in program_headers(dump) if kind == 1) + 8192,
    "elf-cut-late": before_last_page,
    "kdump-cut-in-data": lambda dump: dump.path.stat().st_size // 2,
    "kdump-cut-in-bitmaps": in_bitmaps,
    "kdump-cut-in-header": lambda dump: 300,
}


def make_debug(recipe: str, dump: LabDump, other: LabDump, folder: Path) -> list[Path]:
    """The -s arguments; `other` is a dump of another kernel."""
    right, wrong = find(dump.debug, dump.release), find(other.debug, other.release)
    target = folder / "debug"
    target.mkdir()
    if recipe == "right":
        return [dump.debug]
    if recipe == "other-all":
        return [other.debug]
    if recipe == "missing":
        return [folder / "no-such-folder"]
    if recipe == "other-kvm-file":
        return [wrong.kvm, wrong.kvm_amd]
    if recipe in LINKS:
        link(target, *LINKS[recipe](right, wrong))
    else:
        CHANGED[recipe](right, target)
    return [target]


def link(folder: Path, *files: Path) -> None:
    for file in files:
        (folder / file.name).symlink_to(file)


# Folders of links, by recipe.
LINKS = {
    "empty": lambda right, wrong: [],
    "vmlinux": lambda right, wrong: [right.vmlinux],
    "other-modules": lambda right, wrong: [wrong.kvm, wrong.kvm_amd],
    "other-vmlinux": lambda right, wrong: [right.kvm, right.kvm_amd, wrong.vmlinux],
}


def stripped(right: DebugFiles, folder: Path) -> None:
    subprocess.run(["objcopy", "--strip-debug", right.kvm, folder / right.kvm.name], check=True)


def half(right: DebugFiles, folder: Path) -> None:
    copy_start(right.kvm, folder / right.kvm.name, right.kvm.stat().st_size // 2)


def other_build_id(right: DebugFiles, folder: Path) -> None:
    """The last byte of the note is its id's last byte."""
    note = folder / "note"
    copy = folder / right.kvm.name
    subprocess.run(["objcopy", "-O", "binary", "-j", ".note.gnu.build-id", "--set-section-flags",
                    ".note.gnu.build-id=alloc", right.kvm, note], check=True)
    data = bytearray(note.read_bytes())
    data[-1] ^= 0xFF
    note.write_bytes(data)
    subprocess.run(["objcopy", "--update-section", f".note.gnu.build-id={note}", right.kvm, copy], check=True)
    note.unlink()


# Folders with a changed kvm.ko, by recipe.
CHANGED = {"stripped": stripped, "half": half, "other-build-id": other_build_id}
