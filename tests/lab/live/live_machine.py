"""Boots a machine in which kvmscope runs, beside guests that never rest, at the orders of a test on the host."""

import contextlib
import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import images
import initramfs
import machine
from channel import Channel
from kernels import MODULES, VIRTIO_MODULES, add_later_modules
from qmp import Qmp
from scenarios import Scenario
from store import CACHE, LabError, lock, need_program, new_folder, step

HERE = Path(__file__).resolve().parent
SOURCES = (HERE / "CMakeLists.txt", HERE / "agent.cpp", *sorted((HERE / "guest").iterdir()))
PROGRAMS = ("live_agent", "live_guest")
RESTING_GUESTS = ("shadow", "tdp", "big-shadow", "big-tdp")
MOST_PLUGGED_MIB = 1024
GREETING_SECONDS = 240
GUEST_SECONDS = 120

FOLDERS = ("bin", "dev", "etc", "modules", "proc", "program", "root", "sys", "tmp", "usr", "usr/lib", "usr/lib/debug")
LINKS = {"lib": "/program/lib", "lib64": "/program/lib64"}
USERS = "root:x:0:0:root:/root:/bin/sh\nvisitor:x:1000:1000::/tmp:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n"
GROUPS = "root:x:0:\nvisitor:x:1000:\nnogroup:x:65534:\n"


def guest_line(guest):
    """The command line of a guest that is named as scenarios and live guests are."""
    return f"{'guest_runner' if guest in RESTING_GUESTS else 'live_guest'} {guest}"


class LiveMachine:
    """A machine that runs: `channel` runs commands in it, `dump` writes its memory to a file on the host.

    What goes to its terminal /dev/ttyS0, as what its kernel says does, goes to the file `console`.
    """

    def __init__(self, kernel, channel, qmp, folder, console, process):
        self.kernel = kernel
        self.channel = channel
        self.folder = folder
        self.console = Path(console)
        self._qmp = qmp
        self._process = process

    def seconds(self):
        """The processor time that it has had: as long as a guest never rests, these are the seconds of a host of its own."""
        fields = Path(f"/proc/{self._process}/stat").read_text().rsplit(")", 1)[1].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")

    @contextlib.contextmanager
    def stopped_dump(self):
        """The path of an ELF dump of the machine as it is now. It is gone after the block."""
        file = self.folder / "vmcore"
        self._qmp.call("stop")
        try:
            self._qmp.call("dump-guest-memory", protocol=f"file:{file}", paging=False)
        finally:
            self._qmp.call("cont")
        try:
            yield file
        finally:
            file.unlink(missing_ok=True)

    def start_guest(self, line):
        """Starts a guest program, `live_guest rewrite` or `guest_runner tdp`, and waits until it says READY."""
        guest = self.channel.start(f"exec {line}")
        guest.wait_for("^READY", GUEST_SECONDS)
        return guest

    @contextlib.contextmanager
    def guests(self, *lines):
        """Guests that are gone after the block; guest_runner's own processes, too."""
        started = [self.start_guest(line) for line in lines]
        try:
            yield started
        finally:
            self.end_guests()

    def end_guests(self):
        self.channel.run("killall -9 live_guest guest_runner")
        end = time.monotonic() + GUEST_SECONDS
        while time.monotonic() < end:
            # A VM outlives the process that held it until all of its threads are gone.
            if self.channel.run("ls -d /sys/kernel/debug/kvm/*-*").status != 0:
                return
            time.sleep(0.1)
        raise LabError("the guests' VMs are still there")

    def plug_memory(self, mib):
        """Adds memory to the machine while it runs; it then lies above 4 GiB."""
        blocks = self.channel.must("ls -d /sys/devices/system/memory/memory*").split()
        self._qmp.call("object-add", **{"qom-type": "memory-backend-ram", "id": "plugged", "size": mib << 20})
        self._qmp.call("device_add", driver="pc-dimm", id="dimm", memdev="plugged")
        end = time.monotonic() + GUEST_SECONDS
        while time.monotonic() < end:
            new = set(self.channel.must("ls -d /sys/devices/system/memory/memory*").split()) - set(blocks)
            if new:
                # A block that is online already refuses.
                self.channel.must("; ".join(f"echo online > {block}/state" for block in sorted(new)) + "; true")
                return
            time.sleep(0.1)
        raise LabError("the machine does not notice its new memory")

    def load_kvm(self, parameters):
        """Loads KVM for AMD again, with other parameters: npt=0 is shadow paging, npt=1 the TDP MMU."""
        self.unload("kvm_amd")
        self.channel.must(f"insmod /modules/kvm-amd.ko {parameters}")

    def unload(self, *modules):
        """Unloads modules in this order; a VM that dies holds KVM for some time more."""
        for module in modules:
            self.channel.must(f"for i in $(seq 100); do rmmod {module} && exit; sleep 0.1; done; exit 1")


@contextlib.contextmanager
def boot(kernel, kvmscope, kvm_amd="npt=0", memory_mib=768, boot_parameters="", console=None,
         other_build=None):
    """Gives a LiveMachine; ends it after the block. What the kernel says goes to the file `console`.

    In /program/other-build are KVM's debug files of the kernel `other_build`.
    """
    add_later_modules(kernel)
    scenario = Scenario("live", "kvmscope inside", kvm_amd=kvm_amd, memory_mib=memory_mib)
    with tempfile.TemporaryDirectory(prefix="kvmscope-live-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        console = console or folder / "console"
        write_initramfs(folder / "initramfs", scenario, kernel)
        disks = [images.debug_files(kernel), images.program(kvmscope, folder, other_build)]
        sockets = [stack.enter_context(end) for _ in range(2) for end in socket.socketpair()]
        control, their_control, monitor, their_monitor = sockets
        command = arguments(scenario, kernel, folder, disks, boot_parameters, their_control, their_monitor)
        log = stack.enter_context(open(console, "wb"))
        qemu = stack.enter_context(subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            pass_fds=[their_control.fileno(), their_monitor.fileno()]))
        stack.callback(qemu.kill)
        their_control.close()
        their_monitor.close()
        monitor.settimeout(machine.ANSWER_SECONDS)
        channel = Channel(control, lambda: check(qemu, console))
        with step(f"booting a live machine with {kernel.release}"):
            channel.wait_for_hello(GREETING_SECONDS)
        yield LiveMachine(kernel, channel, Qmp(monitor), folder, console, qemu.pid)


def arguments(scenario, kernel, folder, disks, boot_parameters, control, monitor):
    command = machine.arguments(scenario, kernel, folder / "initramfs", monitor.fileno())
    # QEMU takes the last one of each.
    command += ["-append", f"console=ttyS0 panic=-1 {boot_parameters}",
                "-m", f"{scenario.memory_mib},slots=1,maxmem={scenario.memory_mib + MOST_PLUGGED_MIB}M"]
    for disk in disks:
        command += ["-drive", f"file={disk},if=virtio,format=raw,readonly=on"]
    return command + [
        "-device", "virtio-serial-pci", "-chardev", f"socket,id=control,fd={control.fileno()}",
        "-device", "virtserialport,chardev=control,name=kvmscope",
    ]  # fmt: skip


def check(qemu, console):
    """Raises LabError if the machine ended or its kernel said that it is broken."""
    said = Path(console).read_bytes()
    failure = machine.FAILURE.search(said)
    if failure:
        raise machine.failed(failure[0].decode(errors="replace").strip(), said, console)
    if qemu.poll() is not None:
        raise machine.failed("it ended", said, console)


def write_initramfs(file, scenario, kernel):
    entries = {folder: (0o040755, b"") for folder in FOLDERS}
    entries.update({link: (0o120777, target.encode()) for link, target in LINKS.items()})
    entries["init"] = (0o100755, (HERE / "init").read_bytes())
    entries["etc/passwd"] = (0o100644, USERS.encode())
    entries["etc/group"] = (0o100644, GROUPS.encode())
    entries["bin/busybox"] = (0o100755, Path(need_program("busybox")).read_bytes())
    entries["bin/guest_runner"] = (0o100755, initramfs.guest_runner().read_bytes())
    for path in programs():
        entries[f"bin/{path.name}"] = (0o100755, path.read_bytes())
    virtio = [name for name in VIRTIO_MODULES if kernel.module(name).exists()]
    for name in (*MODULES, *virtio):
        entries[f"modules/{name}.ko"] = (0o100644, kernel.module(name).read_bytes())
    orders = "".join(f"module {name}\n" for name in virtio) + initramfs.orders(scenario)
    entries["orders"] = (0o100644, orders.encode())
    file.write_bytes(initramfs.archive(entries))


def programs():
    """The machine's own programs, built unless these sources were built before."""
    digest = hashlib.sha256()
    for source in (*initramfs.RUNNER_SOURCES, *SOURCES):
        digest.update(source.read_bytes())
    folder = CACHE / "guest" / f"live-{digest.hexdigest()[:16]}"
    with lock("live-programs"):
        if not folder.exists():
            build(folder)
    return [folder / name for name in PROGRAMS]


def build(folder):
    cmake = need_program("cmake")
    with step("building the live lab's programs"), tempfile.TemporaryDirectory() as work:
        for command in ([cmake, "-G", "Ninja", "-S", HERE, "-B", work], [cmake, "--build", work]):
            result = subprocess.run(command, text=True, capture_output=True, check=False)
            if result.returncode != 0:
                raise LabError("cannot build the live lab's programs\n" + result.stdout + result.stderr)
        with new_folder(folder) as new:
            for name in PROGRAMS:
                shutil.copy(Path(work) / name, new / name)
