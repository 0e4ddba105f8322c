"""Counts what kvmscope costs a live kernel: system calls on /proc/kcore, and CPU time to start."""

import json
import re
import statistics
from dataclasses import dataclass

FIRST_MARK = 2_000_000_000
OPENED = re.compile(r'open(?:at)?\(.*"/proc/kcore".*\) = (\d+)$')
READ = re.compile(r"(?:pread64|read|preadv|readv)\((\d+),")
STRACE = "strace -s 300 -o /tmp/trace -e trace=open,openat,read,pread64,preadv,readv,write"


@dataclass(frozen=True)
class Limit:
    """What the project promises."""

    what: str
    most: float


VCPUS = 3
WATCHED = "watch roots --hz 20 --for 2"
RUNS = 5
ROOTS = Limit("roots with 3 vCPUs, reads of kcore", 150)
PAGES = Limit("pages, reads of kcore per shadow page", 3)
WATCH = Limit("watch roots, reads of kcore besides one per vCPU and sample", 5)
START = Limit("start-up, CPU time against cat /proc/kallsyms", 3)
PACKED = Limit("snapshot from a layout pack, CPU time against cat /proc/kallsyms", 2)
PACK = "/tmp/counts.pack"


def reads_of(channel, commands):
    """How often each command reads /proc/kcore, in one process, and the lines of all that it printed.

    The first command opens the kernel, so that its reads are start-up's, too.
    """
    lines = "".join(f"{command}\nprint {FIRST_MARK + number}\n" for number, command in enumerate(commands))
    answer = channel.run(f"exec {STRACE} kvmscope -f jsonl", text=lines)
    if answer.status not in (0, 4):
        raise AssertionError(f"{answer.how_it_ended()}: {answer.errors}")
    counts, reads, kcore = [], 0, None
    for line in channel.must("cat /tmp/trace").splitlines():
        if opened := OPENED.search(line):
            kcore = opened[1]
        elif (read := READ.match(line)) and read[1] == kcore:
            reads += 1
        elif line.startswith("write(1,") and f"{FIRST_MARK + len(counts)}" in line:
            counts.append(reads)
            reads = 0
    return counts, answer.output.splitlines()


def figures(machine):
    """(Limit, figure, remark) of all that is promised."""
    with machine.guests(f"live_guest switch-4 vcpus={VCPUS}"):
        machine.channel.must("killall -STOP live_guest")
        yield from roots_and_pages(machine)
        yield watch_roots(machine)
        yield packed(machine)
    yield start_up(machine)


def packed(machine):
    machine.channel.must(f"kvmscope --no-cache layout --save {PACK}")
    return cpu_time(machine, PACKED, f"kvmscope --no-cache -s {PACK} snapshot --depth summary")


def roots_and_pages(machine):
    (_, roots, pages), printed = reads_of(machine.channel, ("vms", "roots", "pages"))
    count = sum('"quadrant"' in line for line in printed)
    yield ROOTS, roots, "one process, after start-up"
    yield PAGES, pages / max(count, 1), f"{count} pages"


def watch_roots(machine):
    (_, reads), printed = reads_of(machine.channel, ("vms", WATCHED))
    vcpus = [record for record in map(json.loads, printed) if "period_us" in record]
    samples = sum(record["samples"] + record["unreadable"] for record in vcpus)
    return WATCH, reads - samples, f"{samples} samples of {len(vcpus)} vCPUs"


def start_up(machine):
    return cpu_time(machine, START, "kvmscope --no-cache vms")


def cpu_time(machine, limit, command):
    """Of the command against a reader of the symbols; both take turns; medians."""
    ours, theirs = [], []
    for _ in range(RUNS):
        ours.append(cpu_seconds(machine.channel, command))
        theirs.append(cpu_seconds(machine.channel, "cat /proc/kallsyms"))
    mine, other = statistics.median(ours), statistics.median(theirs)
    return limit, mine / other, f"{mine:.2f} s against {other:.2f} s"


def cpu_seconds(channel, command):
    """User and system time of a shell command."""
    said = channel.must(f"{{ time {command} > /dev/null; }} 2>&1")
    return sum(60 * int(minutes) + float(seconds)
               for minutes, seconds in re.findall(r"^(?:user|sys)\s+(\d+)m\s*([\d.]+)s", said, re.MULTILINE))
