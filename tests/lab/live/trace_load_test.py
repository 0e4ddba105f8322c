"""`trace load` against guests that switch CR3 a known number of times."""

import json
import signal
import time

from store import LabError

# Tasks and rounds of each vCPU.
CASES = ((3, 300), (4, 300), (5, 300))
VCPUS = 2
CACHED_ROOTS = 4  # the current one and KVM_MMU_NUM_PREV_ROOTS
ARMED_SECONDS = 180
PAUSE = 0.1
SETTLE_SECONDS = 0.5
RATE_SECONDS = 5
WANTED_RATE = 20000


def run(bench):
    bench.machine.load_kvm("npt=0")
    for tasks, rounds in CASES:
        bench.check("trace load", exact_problems(bench, tasks, rounds),
                    f"{tasks} tasks, {rounds} rounds, {VCPUS} vCPUs")
    problems, remark = rate_problems(bench)
    bench.check("trace load", problems, remark)


def exact_problems(bench, tasks, rounds):
    """What is wrong with the totals of a guest whose every switch is known."""
    with traced(bench, "trace load") as trace, \
            bench.machine.guests(f"live_guest switch-{tasks} rounds={rounds} vcpus={VCPUS}") as (guest,):
        guest.wait_for("^DONE")
        time.sleep(SETTLE_SECONDS)
        trace.end()
        totals = {(record["vm"], record["vcpu"]): record for record in trace.records if record.get("kind") == "total"}
    problems = trace.problems()
    for vcpu in range(VCPUS):
        problems += unlike(totals.get((0, vcpu)), f"vCPU {vcpu}", expected(tasks, rounds, 1))
    problems += unlike(totals.get((0, None)), "the VM", expected(tasks, rounds, VCPUS))
    return problems + unlike(totals.get((None, None)), "all", expected(tasks, rounds, VCPUS))


def expected(tasks, rounds, vcpus):
    """A vCPU starts in its last task; then each task that is not cached makes it load a root."""
    misses = tasks * rounds if tasks > CACHED_ROOTS else tasks - 1
    return {"switches": vcpus * tasks * rounds, "hits": vcpus * (tasks * rounds - misses), "misses": vcpus * misses,
            "loads": vcpus * (misses + 1)}


def unlike(record, whose, wanted):
    if record is None:
        return [f"there is no total of {whose}"]
    # A vCPU's first load has no cause that could be seen: nothing was dropped before it.
    unknown = record["unknown"] - (record["loads"] - record["misses"])
    return [f"{name} of {whose}: {record.get(name)}, not {count}" for name, count in wanted.items()
            if record.get(name) != count] + (
                [f"{unknown} loads of {whose} have an unknown cause"] if unknown > 0 else [])


def rate_problems(bench):
    """No event may be lost, however fast the guests can be here."""
    with bench.machine.guests(f"live_guest switch-5 vcpus={VCPUS}"):
        answer = bench.run(f"exec kvmscope -f jsonl trace load --summary --yes --for {RATE_SECONDS}")
    records = [json.loads(line) for line in answer.output.splitlines()]
    end = records[-1] if records else {}
    total = next((record for record in records if record.get("kind") == "total" and record["vm"] is None), {})
    rate = total.get("loads", 0) / RATE_SECONDS
    problems = [f"{end.get('lost')} events were lost"] if end.get("lost") != 0 else []
    if answer.status != 0 or not end.get("end") or not rate:
        problems.append(f"{answer.how_it_ended()}: {answer.errors[-1000:]}")
    if total.get("unknown", 0) > total.get("loads", 0) / 100:
        problems.append(f"{total['unknown']} of {total['loads']} loads have an unknown cause")
    return problems, f"no loss at {rate:.0f} loads per second (to reach: {WANTED_RATE}, if the machine is so fast)"


class traced:  # pylint: disable=invalid-name  # used like a function
    """A trace command that is armed within the block."""

    def __init__(self, bench, command):
        self._channel = bench.machine.channel
        self._command = command
        self._answer = None
        self.records = []

    def __enter__(self):
        self._process = self._channel.start(f"exec kvmscope -f jsonl {self._command} --yes")
        end = time.monotonic() + ARMED_SECONDS
        while self._channel.run("cat /sys/kernel/tracing/instances/*/events/*/enable | grep -q 1").status != 0:
            if self._process.ended or time.monotonic() > end:
                raise LabError(f"this was not armed: {self._command}: {self._process.errors}")
            time.sleep(PAUSE)
        time.sleep(SETTLE_SECONDS)
        return self

    def __exit__(self, *error):
        if not self._process.ended:
            self._process.signal(signal.SIGTERM)
        self._process.wait()

    def end(self):
        """As Ctrl-C does."""
        self._process.signal(signal.SIGINT)
        self._answer = self._process.wait()
        self.records = [json.loads(line) for line in self._answer.output.splitlines()]

    def signal(self, number):
        self._process.signal(number)

    def problems(self, statuses=(0,), may_lose=False):
        end = self.records[-1] if self.records else {}
        lost = not may_lose and (end.get("lost") or end.get("missed"))
        if self._answer.status not in statuses or not end.get("end") or lost:
            return [f"{self._answer.how_it_ended()}, last line {end}: {self._answer.errors[-1000:]}"]
        return []
