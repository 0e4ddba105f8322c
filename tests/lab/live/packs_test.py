"""A machine without debug files: with a layout pack alone, and from the cache alone, records must be those of a dump."""

import contextlib

from inside import IDLE

DEBUG = "/usr/lib/debug"
PACK = "/tmp/this.pack"
CACHE = "/root/.cache/kvmscope/layouts"


@contextlib.contextmanager
def no_debug_files(channel):
    """Whatever is mounted there is away during the block."""
    device, _, kind = channel.must(f"grep ' {DEBUG} ' /proc/mounts").split()[:3]
    channel.must(f"umount {DEBUG}")
    try:
        yield
    finally:
        channel.must(f"mount -o ro -t {kind} {device} {DEBUG}")


@contextlib.contextmanager
def hidden_addresses(channel):
    """/proc/kallsyms shows zeros to root, too: what is found then is found without it."""
    channel.must("echo 2 > /proc/sys/kernel/kptr_restrict")
    try:
        yield
    finally:
        channel.must("echo 0 > /proc/sys/kernel/kptr_restrict")


def run(bench):
    channel = bench.machine.channel
    channel.must(f"kvmscope --no-cache -s {DEBUG} layout --save {PACK}")
    channel.must(f"rm -rf {CACHE}; kvmscope vms")
    bench.check("packs", cache_problems(channel), "the cache is root's alone")
    for guests, parameters in (("shadow", "npt=0"), ("tdp", "npt=1")):
        bench.machine.load_kvm(parameters)
        with bench.machine.guests(f"guest_runner {guests}"):
            with no_debug_files(channel):
                said = bench.run("kvmscope --no-cache info").output
                bench.check("packs", [said] * ("from the kernel's own BTF" not in said), "without anything")
                with hidden_addresses(channel):
                    from_pack = bench.records(IDLE, f"--no-cache -s {PACK}")
                from_cache = bench.records(IDLE)
            with bench.machine.stopped_dump() as dump:
                bench.equals_dump(f"packs {guests}, pack", from_pack, dump)
                bench.equals_dump(f"packs {guests}, cache", from_cache, dump)
    bench.machine.load_kvm("npt=0")


def cache_problems(channel):
    listed = channel.must(f"stat -c '%a %u %n' {CACHE}/*").splitlines()
    wrong = [line for line in listed if not line.startswith("600 0 ") or not line.endswith(".pack")]
    return wrong + [f"{len(listed)} files"] * (len(listed) != 1)
