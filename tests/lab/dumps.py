"""Keeps the dumps: makes those that are missing or that were made of something else."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import formats
import initramfs
import machine
from kernels import Kernel
from scenarios import Scenario
from store import CACHE, LabError, lock, new_folder, step

# A dump is made again when any of these changes.
SOURCES = (*initramfs.RUNNER_SOURCES, initramfs.INIT, Path(initramfs.__file__),
           Path(machine.__file__))


@dataclass(frozen=True)
class Dump:
    """All files of one scenario on one kernel; all show the same stopped machine."""

    scenario: Scenario
    kernel: Kernel

    @property
    def name(self):
        return f"{self.scenario.name}-{self.kernel.release}"

    @property
    def folder(self):
        return CACHE / "dumps" / self.name

    @property
    def formats(self):
        """Names of the formats it can have: its captures, and what makedumpfile makes of them."""
        conversions = [name for name, form in formats.FORMATS.items()
                       if isinstance(form, formats.Conversion) and self.scenario.vmcoreinfo]
        return [*self.scenario.captures, *conversions]

    def path(self, name):
        return self.folder / f"vmcore.{name}"

    def key(self, qemu_version):
        """Names all that the dump depends on."""
        digest = hashlib.sha256(json.dumps(asdict(self.scenario)).encode())
        digest.update(qemu_version.encode())
        digest.update(self.kernel.manifest.read_bytes())
        for source in SOURCES:
            digest.update(source.read_bytes())
        return digest.hexdigest()

    def is_current(self, key):
        try:
            return (self.folder / "key").read_text() == key
        except FileNotFoundError:
            return False

    def missing(self, names):
        return [name for name in names if not self.path(name).exists()]

    def make(self, names, qemu_version):
        """Makes the files of the named formats that are not there."""
        unknown = [name for name in names if name not in self.formats]
        if unknown:
            raise LabError(f"{self.scenario.name} cannot be had as {', '.join(unknown)}")
        key = self.key(qemu_version)
        if self.is_current(key) and not self.missing(names):
            return
        with lock(self.name):
            if not self.is_current(key) or self.missing(self.scenario.captures):
                self._capture(key)
            wanted = {name: self.path(name) for name in self.missing(names)}
            if wanted:
                with step(f"{self.name}: makedumpfile {' '.join(wanted)}"):
                    formats.convert(self.path("elf"), wanted)

    def _capture(self, key):
        console = CACHE / "consoles" / self.name
        console.parent.mkdir(parents=True, exist_ok=True)
        with new_folder(self.folder) as folder:
            packed = folder / "initramfs"
            initramfs.write(packed, self.scenario, self.kernel)
            with step(f"{self.name}: booting and dumping"):
                captures = {folder / self.path(name).name: formats.FORMATS[name].arguments
                            for name in self.scenario.captures}
                with machine.boot(self.scenario, self.kernel, packed, console) as qmp:
                    machine.dump(qmp, captures)
            packed.unlink()
            console.rename(folder / "console.log")
            (folder / "key").write_text(key)
