"""Compares what a run must leave as it was: tracefs, the kernel's probes, and the processes."""

import time

# A guardian process has this long to disarm what a killed kvmscope had armed: of the machine's time, which a busy host
# makes longer than ours; and of ours, should the machine rest.
SECONDS = 1.0
MOST_SECONDS = 5.0
PAUSE = 0.1

TRACEFS = "/sys/kernel/tracing"
FILES = ("kprobe_events", "uprobe_events", "dynamic_events", "set_event", "tracing_on", "current_tracer",
         "trace_options", "buffer_size_kb", "events/enable")
STATE = (
    *(f"cat {TRACEFS}/{file}" for file in FILES),
    f"ls {TRACEFS}/instances {TRACEFS}/events",
    "cat /sys/kernel/debug/kprobes/list",
    "echo $(ps -o comm | grep -c '^kvmscope') processes of kvmscope",
)


def settle(channel):
    """The kernel gives its main buffer its full size when the first event of all is enabled, for good (until v6.8)."""
    event = f"{TRACEFS}/events/kvmmmu/kvm_mmu_zap_all_fast/enable"
    channel.run(f"echo 1 > {event}; echo 0 > {event}")


def state(channel):
    """What there is now, as text."""
    return channel.must("; ".join(f"{line} 2>&1" for line in STATE) + "; true")


def problems(machine, before):
    """What is different now from the state `before`, after the time that is allowed for it."""
    end, last_end = machine.seconds() + SECONDS, time.monotonic() + MOST_SECONDS
    while (now := state(machine.channel)) != before:
        if machine.seconds() > end or time.monotonic() > last_end:
            old, new = before.splitlines(), now.splitlines()
            return [*(f"left behind: {line}" for line in new if line not in old),
                    *(f"gone: {line}" for line in old if line not in new),
                    *(["lines come in another order"] if sorted(old) == sorted(new) else [])]
        time.sleep(PAUSE)
    return []
