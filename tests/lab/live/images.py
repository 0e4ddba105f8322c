"""Makes the live machine's disks without mounting anything: the kernel's debug files, and the program under test."""

import re
import shutil
import subprocess
from pathlib import Path

from store import CACHE, LabError, lock, need_program, new_file, step

# Beside the program: what a test counts its system calls with.
TOOLS = ("strace",)
LIBRARIES = Path("lib/x86_64-linux-gnu")
LOADER = re.compile(r"^/\S*/ld-linux[^/]*$")
SPARE_BYTES = 32 << 20


def debug_files(kernel):
    """A disk laid out as /usr/lib/debug, made once a kernel: vmlinux alone is hundreds of megabytes."""
    image = CACHE / "live" / f"debug-{kernel.release}.ext4"
    with lock(f"debug-{kernel.release}"):
        if not image.exists():
            image.parent.mkdir(parents=True, exist_ok=True)
            with step(f"making a disk of the debug files of {kernel.release}"), new_file(image) as new:
                make(new, kernel.debug)
    return image


def program(kvmscope, folder, other_build):
    """A disk with bin/kvmscope, the tools, and the libraries they need, made in `folder`.

    The debug files of KVM in the kernel `other_build` lie in its folder other-build.
    """
    root = folder / "program"
    for part in ("bin", "lib64", LIBRARIES):
        (root / part).mkdir(parents=True)
    # Nothing in the machine reads the debug information; it is most of a debug build.
    need_program("objcopy")
    subprocess.run(["objcopy", "--strip-debug", kvmscope, root / "bin" / "kvmscope"], check=True)
    for tool in TOOLS:
        shutil.copy(need_program(tool), root / "bin" / tool)
    for path in (kvmscope, *map(need_program, TOOLS)):
        for library in libraries(path):
            place = "lib64" if LOADER.match(library) else LIBRARIES
            shutil.copy(library, root / place / Path(library).name)
    (root / "other-build").mkdir()
    for module in other_build.debug.glob("lib/modules/*/kernel/arch/x86/kvm/kvm*.ko") if other_build else []:
        shutil.copy(module, root / "other-build" / module.name)
    image = folder / "program.ext4"
    make(image, root)
    shutil.rmtree(root)
    return image


def libraries(path):
    """The absolute paths that ldd prints."""
    answer = subprocess.run(["ldd", path], text=True, capture_output=True, check=False)
    missing = re.findall(r"^\s*(\S+) => not found", answer.stdout, re.MULTILINE)
    if answer.returncode != 0 or missing:
        raise LabError(f"ldd {path}: {', '.join(missing) or answer.stderr.strip()}")
    return re.findall(r"(/\S+) \(0x", answer.stdout)


def make(image, folder):
    """An ext4 image of what is in the folder."""
    used = sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file())
    with open(image, "wb") as file:
        file.truncate(used + used // 10 + SPARE_BYTES)
    command = ["/sbin/mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-m", "0", "-E", "root_owner=0:0",
               "-d", folder, image]
    answer = subprocess.run(command, text=True, capture_output=True, check=False)
    if answer.returncode != 0:
        raise LabError(f"mkfs.ext4 cannot make {image}: {answer.stderr.strip()}")
