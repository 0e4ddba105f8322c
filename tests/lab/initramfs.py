"""Packs a machine's initramfs: busybox, the kernel's modules, the guest runner, what to do."""

import gzip
import hashlib
import subprocess
from pathlib import Path

from kernels import MODULES, add_later_modules
from store import CACHE, LabError, lock, need_program, new_file, new_folder, step

HERE = Path(__file__).resolve().parent
INIT = HERE / "init"
RUNNER_SOURCES = (HERE / "CMakeLists.txt", *sorted((HERE / "guest").iterdir()))


def write(file, scenario, kernel):
    """Writes the initramfs of a scenario; its init is tests/lab/init."""
    folders = ("bin", "dev", "modules", "proc", "sys")
    entries = {folder: (0o040755, b"") for folder in folders}
    entries["init"] = (0o100755, INIT.read_bytes())
    entries["bin/busybox"] = (0o100755, Path(need_program("busybox")).read_bytes())
    entries["bin/guest_runner"] = (0o100755, guest_runner().read_bytes())
    add_later_modules(kernel)
    for module in MODULES:
        entries[f"modules/{module}.ko"] = (0o100644, kernel.module(module).read_bytes())
    entries["orders"] = (0o100644, orders(scenario).encode())
    file.write_bytes(gzip.compress(archive(entries), compresslevel=1))


def orders(scenario):
    """What init does, a line each."""
    modules = []
    if scenario.vmcoreinfo:
        modules += ["module qemu_fw_cfg"]
    if scenario.kvm_amd is not None:
        modules += ["module irqbypass", f"module kvm {scenario.kvm}", f"module kvm-amd {scenario.kvm_amd}"]
    if scenario.swap:
        modules += ["module brd rd_nr=1 rd_size=1024", "swap /dev/ram0"]
    guests = [f"guests {scenario.guests}"] if scenario.guests else []
    return "".join(line + "\n" for line in modules + guests + ["rest"])


def archive(entries):
    """A cpio archive in the format that the kernel calls newc."""
    parts = []
    for number, (name, (mode, content)) in enumerate((*entries.items(), ("TRAILER!!!", (0, b"")))):
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
        header = b"070701" + b"".join(b"%08x" % field for field in fields)
        parts += [padded(header + name.encode() + b"\0"), padded(content)]
    return b"".join(parts)


def padded(data):
    return data + b"\0" * (-len(data) % 4)


def guest_runner():
    """The guest runner, built unless these sources were built before."""
    digest = hashlib.sha256()
    for source in RUNNER_SOURCES:
        digest.update(source.read_bytes())
    file = CACHE / "guest" / f"guest_runner-{digest.hexdigest()[:16]}"
    if file.exists():
        return file
    with lock("guest_runner"):
        if not file.exists():
            build_runner(file)
    return file


def build_runner(file):
    cmake = need_program("cmake")
    with step("building the guest runner"), new_folder(CACHE / "guest" / "build") as folder:
        for command in ([cmake, "-G", "Ninja", "-S", HERE, "-B", folder],
                        [cmake, "--build", folder]):
            result = subprocess.run(command, text=True, capture_output=True, check=False)
            if result.returncode != 0:
                raise LabError("cannot build the guest runner\n" + result.stdout + result.stderr)
        with new_file(file) as new:
            (folder / "guest_runner").rename(new)
