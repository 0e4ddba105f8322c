"""After `trace`, however it ends, tracefs is as it was within a second."""

import signal
import time

import leftovers

COMMANDS = ("trace load", "trace events", "trace unsync", "trace at kvm_mmu_load 'vcpu->vcpu_id'")

# How it ends: shell words around the command, and options. `{}` is the command.
ENDS = {
    "--for": "kvmscope {} --yes --for 1 > /dev/null",
    "--count": "kvmscope {} --yes --count 3 > /dev/null",
    "a rate limit": "kvmscope {} --yes --max-rate 1 --for 20 > /dev/null",
    "a full disk": "kvmscope {} --yes --for 5 > /dev/full",
    "a reader that goes": "kvmscope {} --yes --for 20 | head -n 1 > /dev/null",
    "an unknown option": "kvmscope {} --yes --no-such-option",
    "--dry-run": "kvmscope {} --dry-run",
    "no terminal to ask at": "kvmscope {}",
}
EVERY_COMMAND = ("--count", "a full disk")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
# From the start of the process: while it starts, arms, reads.
DELAYS = (0.3, 0.8, 1.2, 1.6, 2.0, 3.0)
END_SECONDS = 60


def run(bench):
    bench.machine.load_kvm("npt=0")
    leftovers.settle(bench.machine.channel)
    before = leftovers.state(bench.machine.channel)
    with bench.machine.guests("live_guest rewrite"):
        for number, command in enumerate(COMMANDS):
            for name, line in ENDS.items():
                # They share the code that ends them: one command has to show all of it, the others some.
                if number == 0 or bench.long or name in EVERY_COMMAND:
                    bench.run(line.format(command), END_SECONDS)
                    bench.check("trace ends", leftovers.problems(bench.machine, before), f"{command}, {name}")
            for sent, delay in signals(number, bench.long):
                bench.check("trace ends", signal_problems(bench, command, sent, delay, before),
                            f"{command}, {sent.name} after {delay} s")
        bench.check("trace ends", neighbour_problems(bench), "a killed run's neighbour goes on")
    bench.check("trace ends", leftovers.problems(bench.machine, before), "the neighbours, too")
    bench.check("trace ends", killed_problems(bench, before), "what a killed run and its guardian left is removed")


def signals(number, every):
    """Each signal for each command; all the delays for every one, or for all of them together."""
    for turn, sent in enumerate(SIGNALS):
        first = (number + turn) % len(DELAYS)
        yield from ((sent, delay) for delay in (DELAYS if every else DELAYS[first:first + 1]))


def signal_problems(bench, command, sent, delay, before):
    process = bench.machine.channel.start(f"exec kvmscope {command} --yes > /dev/null")
    time.sleep(delay)
    process.signal(sent)
    answer = process.wait(END_SECONDS)
    problems = leftovers.problems(bench.machine, before)
    # Before main() could say what it wants to do at a signal, it dies of it.
    if answer.status not in (0, 130, -sent):
        problems.append(f"{answer.how_it_ended()}: {answer.errors[-1000:]}")
    return problems


def neighbour_problems(bench):
    """Of two runs at a time one is killed; a third run tidies up. The second must not notice."""
    channel = bench.machine.channel
    second = channel.start("exec kvmscope -f jsonl trace load --yes --for 12")
    first = channel.start("exec kvmscope trace load --yes --for 60 > /dev/null")
    time.sleep(4)
    first.signal(signal.SIGKILL)
    first.wait()
    bench.run("kvmscope trace events --yes --for 1 > /dev/null", END_SECONDS)
    answer = second.wait(END_SECONDS)
    seconds = sum('"kind": "second"' in line for line in answer.output.splitlines())
    problems = [] if answer.status == 0 else [f"{answer.how_it_ended()}: {answer.errors[-1000:]}"]
    return problems + ([f"it saw {seconds} seconds of loads only"] if seconds < 8 else [])


def killed_problems(bench, before):
    channel = bench.machine.channel
    process = channel.start("exec kvmscope trace load --yes --for 60 > /dev/null")
    time.sleep(4)
    # Every process of it at once: nobody is left to tidy up.
    channel.run("killall -9 kvmscope")
    process.wait()
    answer = bench.run("kvmscope trace events --yes --for 1 > /dev/null", END_SECONDS)
    problems = [] if answer.status == 0 else [f"{answer.how_it_ended()}: {answer.errors[-1000:]}"]
    return problems + leftovers.problems(bench.machine, before)
