"""Boots a scenario's machine under QEMU's software emulation and waits until its guests rest."""

import contextlib
import re
import selectors
import socket
import subprocess
import time

from qmp import Qmp
from store import LabError, need_program

# A machine that works says something far more often, also on a busy host.
SILENCE_SECONDS = 60
ANSWER_SECONDS = 300
LAST_LINES = 15

READY = re.compile(rb"^READY\r?\n", re.MULTILINE)
FAILURE = re.compile(rb"^FAILED .*\n|Kernel panic .*\n|\bOops: .*\n|BUG: .*\n", re.MULTILINE)


def qemu_version():
    """What QEMU says it is: a part of what a dump depends on."""
    command = [need_program("qemu-system-x86_64"), "--version"]
    return subprocess.run(command, text=True, capture_output=True, check=True).stdout


def arguments(scenario, kernel, initramfs, qmp_fd):
    vmcoreinfo = ["-device", "vmcoreinfo"] if scenario.vmcoreinfo else []
    return [
        # QEMU ends with us, however we end.
        need_program("setpriv"), "--pdeathsig", "KILL",
        need_program("qemu-system-x86_64"), "-nodefaults", "-no-user-config", "-no-reboot",
        # One thread a machine: two machines fill two processors.
        "-accel", "tcg,thread=single", "-cpu", scenario.cpu, "-smp", "2",
        "-m", str(scenario.memory_mib), "-nic", "none", "-display", "none", *vmcoreinfo,
        "-kernel", kernel.image, "-initrd", initramfs, "-append", "console=ttyS0 panic=-1",
        "-serial", "stdio",
        "-chardev", f"socket,id=qmp,fd={qmp_fd}", "-mon", "chardev=qmp,mode=control",
    ]  # fmt: skip


@contextlib.contextmanager
def boot(scenario, kernel, initramfs, console):
    """Gives the Qmp of a machine that has said READY; ends the machine after the block.

    All that the machine says goes to the file `console`.
    """
    ours, theirs = socket.socketpair()
    ours.settimeout(ANSWER_SECONDS)
    with ours, theirs:
        command = arguments(scenario, kernel, initramfs, theirs.fileno())
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, pass_fds=[theirs.fileno()]) as qemu:
            theirs.close()
            try:
                wait_until_ready(qemu.stdout, console)
                yield Qmp(ours)
            finally:
                qemu.kill()


def wait_until_ready(stream, console):
    """Copies the console to its file until it says READY; raises LabError if it never will."""
    said = b""
    last = time.monotonic()
    with open(console, "wb", buffering=0) as log, selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while not READY.search(said):
            failure = FAILURE.search(said)
            if failure:
                raise failed(failure[0].decode(errors="replace").strip(), said, console)
            if not selector.select(timeout=1):
                if time.monotonic() - last > SILENCE_SECONDS:
                    raise failed(f"it said nothing for {SILENCE_SECONDS} seconds", said, console)
                continue
            part = stream.read1()
            if not part:
                raise failed("it ended", said, console)
            log.write(part)
            said += part
            last = time.monotonic()


def failed(why, said, console):
    lines = said.decode(errors="replace").splitlines()[-LAST_LINES:]
    return LabError("\n".join([f"the machine failed: {why}", f"the end of {console}:", *lines]))


def dump(qmp, captures):
    """Dumps the stopped machine's memory: `captures` maps files to QMP arguments."""
    qmp.call("stop")
    for file, how in captures.items():
        qmp.call("dump-guest-memory", protocol=f"file:{file}", **how)
        file.chmod(0o644)
        dig_holes(file)
        file.chmod(0o444)


def dig_holes(file):
    """Gives back the disk space of zeros, of which a fresh machine's memory is full."""
    # Not every file system can; the dump is as good without.
    subprocess.run(["fallocate", "--dig-holes", file], stderr=subprocess.DEVNULL, check=False)
