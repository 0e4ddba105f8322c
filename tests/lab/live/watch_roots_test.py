"""`watch roots --hz`: roots of 4 tasks in a cycle are KNOWN, those of 5 are NEW, and what it cannot see it says."""

import json
import re
import time
from itertools import groupby

import counts

VCPUS = 2
HZ = 20
SECONDS = 4
# Several samples long, however busy the machine is: none of a guest's switches may go unseen here.
STAY_MS = 250
# Which switch finds its root in prev_roots: KVM keeps the current one and three more.
FOUND_AGAIN = {4: "known", 5: "new"}
FEWEST_CHANGES = SECONDS * 1000 // STAY_MS // 2
LINE = f"kvmscope {{}} watch roots --hz {HZ} --for {SECONDS}"
COLUMNS = 60
NOT_SEEN = f"stays shorter than {1000 // HZ} ms, the time from one sample to the next, are not seen"
# What each letter of a timeline stands for besides a root.
SEVERAL_OR_NONE = "*."


def run(bench):
    bench.machine.load_kvm("npt=0")
    for tasks, kind in FOUND_AGAIN.items():
        with bench.machine.guests(f"live_guest switch-{tasks} vcpus={VCPUS} stay={STAY_MS}"):
            time.sleep(tasks * STAY_MS / 1000)  # in the first round every root is new
            bench.check("watch roots", *record_problems(bench, tasks, kind))
            if tasks == min(FOUND_AGAIN):
                bench.check("watch roots", terminal_problems(bench), f"on a terminal of {COLUMNS} columns")
                bench.check("watch roots", *cost_problems(bench.machine))


def record_problems(bench, tasks, kind):
    """What is wrong with the records beside a guest of so many tasks, all of whose changes are of one kind."""
    answer = bench.run("exec " + LINE.format("-f jsonl"))
    records = {record["vcpu"]: record for record in map(json.loads, answer.output.splitlines())}
    problems = [] if answer.status == 0 else [f"{answer.how_it_ended()}: {answer.errors}"]
    problems += [] if NOT_SEEN in answer.errors else [f"it does not say '{NOT_SEEN}': {answer.errors}"]
    if sorted(records) != list(range(VCPUS)):
        return [*problems, f"it has the vCPUs {sorted(records)}"], f"{tasks} tasks"
    for vcpu, record in records.items():
        problems += [f"vCPU {vcpu}: {what}" for what in unlike(record, tasks, kind)]
    changes = [f"{record['changes']} changes, {record[kind]} {kind.upper()}" for record in records.values()]
    return problems, f"{tasks} tasks: {'; '.join(changes)}"


def unlike(record, tasks, kind):
    expected = {"roots": tasks, "cr3s": tasks, kind: record["changes"],
                "known": record["changes"] - record["new"], "unreadable": 0, "ended": None}
    problems = [f"{name} is {record[name]}, not {value}" for name, value in expected.items() if record[name] != value]
    if record["changes"] < FEWEST_CHANGES:
        problems.append(f"only {record['changes']} changes")
    if record["truth"] != ("torn" if record["torn"] else "stable"):
        problems.append(f"{record['torn']} torn samples, and the truth {record['truth']}")
    # A sample between two roots ends no stay.
    if record["stays"] < record["changes"] - 1 - 2 * record["rootless"]:
        problems.append(f"only {record['stays']} stays")
    if not STAY_MS * 700 <= (record["stay_median_us"] or 0) <= STAY_MS * 1500:
        problems.append(f"stays are {record['stay_median_us']} µs long, not {STAY_MS} ms")
    if sum(seen["samples"] for seen in record["seen"]) + record["rootless"] + record["torn"] != record["samples"]:
        problems.append("the samples of its roots are not all samples")
    return problems + order_problems(record["timeline"], tasks)


def order_problems(timeline, tasks):
    """The tasks run in a cycle, and letters are given in the order in which roots are seen first."""
    roots = [ord(letter) - ord("A") for letter, _ in groupby(timeline) if letter not in SEVERAL_OR_NONE]
    roots = [number for number, _ in groupby(roots)]
    in_turn = all((before + 1) % tasks == after for before, after in zip(roots, roots[1:]))
    return [] if in_turn and len(roots) > tasks else [f"the roots are not seen in turn: {timeline}"]


def terminal_problems(bench):
    """The serial line is the only terminal here."""
    console = bench.machine.console
    before = console.stat().st_size
    bench.machine.channel.must(f"stty -F /dev/ttyS0 cols {COLUMNS}; {LINE.format('')} > /dev/ttyS0; "
                               "status=$?; stty -F /dev/ttyS0 cols 80; exit $status")
    text = console.read_bytes()[before:].decode(errors="replace").replace("\r", "")
    timelines = re.findall(r"^ +timeline .*$", text, re.MULTILINE)
    problems = [] if len(timelines) == VCPUS else [f"it shows {len(timelines)} timelines: {text}"]
    problems += [f"not {COLUMNS} columns or little less: {line}" for line in timelines
                 if not COLUMNS // 2 < len(line) <= COLUMNS]
    problems += [] if re.search(r" [1-9]\d* KNOWN, 0 NEW", text) else [f"it does not say KNOWN: {text}"]
    return problems + [f"it says '{word}'" for word in ("hit", "miss") if re.search(rf"\b{word}", text.lower())]


def cost_problems(machine):
    limit, figure, remark = counts.watch_roots(machine)
    problems = [] if 0 <= figure <= limit.most else [f"{figure}, not at most {limit.most}"]
    return problems, f"{limit.what}: {figure} ({remark})"
