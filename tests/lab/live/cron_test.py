"""The job of scripts/cron under a real cron beside a busy guest, on a machine without debug files, from a layout pack: the
series that it leaves tells what happened when.
"""

import json
import re
import signal
import time
from pathlib import Path

from packs_test import DEBUG, PACK, no_debug_files

JOB = Path(__file__).resolve().parents[3] / "scripts" / "cron" / "kvmscope-snapshot"
SERIES = "/tmp/series"
RUNS = 6
BUSY = "live_guest switch-4 vcpus=2"
SHORT = "live_guest switch-3"
RUN_SECONDS = 150
LOCK = "/tmp/one/.kvmscope.lock"


def run(bench):
    machine = bench.machine
    machine.channel.must(f"mkdir -p /tmp/crontabs; cat > /tmp/job <<'END'\n{JOB.read_text()}END\nchmod +x /tmp/job")
    machine.channel.must(f"kvmscope --no-cache -s {DEBUG} layout --save {PACK}")
    machine.channel.must(f"echo '* * * * * SERIES={SERIES} DEPTH=pages OPTIONS=\"--no-cache -s {PACK}\" "
                         "sh /tmp/job 2>> /tmp/job.err' > /tmp/crontabs/root")
    with machine.guests(BUSY):
        with no_debug_files(machine.channel):
            machine.channel.start("exec crond -f -l 8 -c /tmp/crontabs")
            try:
                marks = happenings(machine)
            finally:
                machine.channel.run("killall crond")
        bench.check("cron", series_problems(machine, marks), f"{len(files(machine))} runs")
        bench.check("cron", overtaken_problems(machine), "a slow run is not overtaken")


def files(machine):
    return machine.channel.must(f"mkdir -p {SERIES}; ls {SERIES}").split()


def wait_for(machine, count):
    """Until the series has so many snapshots."""
    end = time.monotonic() + RUN_SECONDS
    while len(files(machine)) < count and time.monotonic() < end:
        time.sleep(2)
    return len(files(machine))


def happenings(machine):
    """Another VM comes after the second snapshot and goes after the fourth; the numbers of snapshots by then."""
    wait_for(machine, 2)
    guest = machine.start_guest(SHORT)
    came = len(files(machine))
    wait_for(machine, came + 2)
    guest.signal(signal.SIGKILL)
    went = len(files(machine))
    wait_for(machine, max(RUNS, went + 2))
    return came, went


def series_problems(machine, marks):
    names = files(machine)
    errors = machine.channel.must("cat /tmp/job.err")
    problems = [f"only {len(names)} snapshots: {errors}"] * (len(names) < RUNS)
    changes = []
    for before, after in zip(names, names[1:]):
        answer = machine.channel.run(f"kvmscope diff {SERIES}/{before} {SERIES}/{after} -f json")
        if answer.status not in (0, 4):
            return [*problems, f"diff: {answer.how_it_ended()} {answer.errors}"]
        changes.append(json.loads(answer.output))
    came, went = (each(changes, change) for change in ("appeared", "gone"))
    # A snapshot that was being taken just then may have it or not.
    for what, found, mark in (("came", came, marks[0]), ("went", went, marks[1])):
        if not any(mark - 2 <= place <= mark for place in found):
            problems.append(f"the VM {what} by snapshot {mark}, and diff sees it at {found}")
    switched = [place for place, records in enumerate(changes)
                if any(record["subject"] == "root" and "prev_roots" in record["change"] for record in records)]
    if len(switched) < 3:
        problems.append(f"roots go into and out of prev_roots only at {switched}")
    answer = machine.channel.run(f"kvmscope timeline {SERIES}/* -f json")
    if answer.status != 0:
        return [*problems, f"timeline: {answer.how_it_ended()} {answer.errors}"]
    rows = json.loads(answer.output)
    if not any(row["changes"] for row in rows):
        problems.append("timeline sees no root change")
    return problems


def each(changes, change):
    return [place for place, records in enumerate(changes)
            if any(record["subject"] == "vm" and record["change"] == change for record in records)]


def overtaken_problems(machine):
    """The second of two at a time says so and ends; the first, which stands still meanwhile, writes its file."""
    line = "kvmscope snapshot --depth trees -o /tmp/one/now.json"
    # It is idle by priority: who waits without a rest would starve it.
    answer = machine.channel.run(f"mkdir -p /tmp/one; {line} & first=$!; "
                                 f"for i in $(seq 1000); do [ -e {LOCK} ] && break; sleep 0.01; done; "
                                 f"kill -STOP $first; {line}; echo status $?; "
                                 "kill -CONT $first; wait $first; echo status $?; ls -a /tmp/one")
    statuses = re.findall(r"status (\d+)", answer.output)
    wrong = statuses != ["3", "0"] or "another kvmscope is writing" not in answer.errors
    return [f"{answer.output} {answer.errors}"] if wrong or ".kvmscope" in answer.output else []
