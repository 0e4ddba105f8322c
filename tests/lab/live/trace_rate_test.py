"""`trace load` at 20,000 loads and events a second, of which it may lose none, and at more than its buffers hold."""

import re
import signal
import time

from trace_load_test import SETTLE_SECONDS, traced

VCPUS = 2
# The first two say how many events a guest and each of its resets cause.
FEW, MORE = 100, 300
# So many that they last for seconds, and far more than the buffers hold.
MANY = 60_000
WANTED_RATE = 20_000
PACE = f"rate={WANTED_RATE * 11 // 10 // VCPUS}"
NO_LIMIT = "--max-rate 100000000"


# As many loads as there are in two seconds.
LOADS = 2 * WANTED_RATE // VCPUS
# A machine that gets less of a processor than this, as its host has other work, may be too slow: it gets another chance.
WHOLE_PROCESSOR = 0.9
ATTEMPTS = 3


def run(bench):
    bench.machine.load_kvm("npt=0")
    for name, problems, remark in figures(bench):
        bench.check("trace rate", problems, f"{name}: {remark}")


def figures(bench):
    """(what, problems, figure) of a reader that keeps up, and of one that is stopped meanwhile."""
    few, more = (events_of(bench, rounds, PACE)[0]["events"] for rounds in (FEW, MORE))
    each, odd = divmod(more - few, MORE - FEW)
    expected = few + each * (MANY - FEW)
    if odd or each <= 0:
        yield "resets", [f"{FEW} resets are {few} events, {MORE} are {more}: not so many each"], "no figure"
        return
    end, seconds, problems = events_of(bench, MANY, PACE)
    rate = expected / seconds
    yield "a reader that keeps up", problems + unlike(end, expected, lost=False) + slow(rate), \
        f"{rate:.0f} events per second, {end['lost']} of {expected} lost"
    end, seconds, problems = events_of(bench, MANY, "", stopped=True)
    yield "a reader that is stopped", problems + unlike(end, expected, lost=True), \
        f"{expected / seconds:.0f} events per second, {end['lost']} of {expected} lost, and counted"
    for _ in range(ATTEMPTS):
        problems, remark, share = loads_figure(bench)
        if not problems or share >= WHOLE_PROCESSOR:
            break
    yield "loads", problems, f"{remark}, with {share:.0%} of a processor"


def loads_figure(bench):
    """Each reset is followed by a load here, whose every event a reader with buffers as usual must get."""
    end, seconds, problems, records, share = trace_resets(bench, LOADS, f"load=1 {PACE}")
    loads = next((record["loads"] for record in records if record.get("kind") == "total" and record["vm"] is None), 0)
    if loads != LOADS * VCPUS:
        problems.append(f"it counted {loads} loads, not {LOADS * VCPUS}")
    rate = LOADS * VCPUS / seconds
    return problems + slow(rate, "loads"), \
        f"{rate:.0f} loads, {end.get('events', 0) / seconds:.0f} events per second, {end.get('lost')} lost", share


def events_of(bench, rounds, pace, stopped=False):
    """The last line of a trace of a guest that resets its MMUs so often, the guest's seconds, and problems."""
    return trace_resets(bench, rounds, pace, stopped)[:3]


def trace_resets(bench, rounds, pace, stopped=False):
    """The same, all lines, and how much of a processor the machine had while the guest was at it."""
    with traced(bench, f"trace load --summary {NO_LIMIT}") as trace, \
            bench.machine.guests(f"live_guest resets rounds={rounds} vcpus={VCPUS} {pace}") as (guest,):
        if stopped:
            trace.signal(signal.SIGSTOP)
        had, started = bench.machine.seconds(), time.monotonic()
        seconds = float(re.search(r"[\d.]+$", guest.wait_for(r"^DONE seconds=[\d.]+")[0])[0])
        share = (bench.machine.seconds() - had) / (time.monotonic() - started)
        if stopped:
            trace.signal(signal.SIGCONT)
        time.sleep(SETTLE_SECONDS)
        trace.end()
    end = trace.records[-1] if trace.records else {}
    return end, seconds, trace.problems((0, 4) if stopped else (0,), may_lose=stopped), trace.records, share


def unlike(end, expected, lost):
    counted = end["events"] + end["lost"] + end["missed"]
    problems = [] if counted == expected else [f"{counted} events are accounted for, not {expected}: {end}"]
    return problems + ([] if bool(end["lost"]) == lost else [f"{end['lost']} events were lost: {end}"])


def slow(rate, what="events"):
    return [] if rate >= WANTED_RATE else [f"{rate:.0f} {what} per second are fewer than {WANTED_RATE}"]
