"""`trace unsync` against a guest that makes KVM zap roots above unsync pages, a known number of times."""

import time
from collections import Counter

from trace_load_test import SETTLE_SECONDS, traced

TASKS, ROUNDS = 5, 40
LEVELS = [4, 3, 2, 1, 1, 1, 3, 2, 1]
# Of each step: the page it is about, and the pages above that one, as positions in the batch.
PATHS = {3: (2, 1, 0), 4: (2, 1, 0), 5: (2, 1, 0), 8: (7, 6, 0)}
ZAP, SYNC = "mmu_zap_unsync_children", "mmu_sync_children"


def run(bench):
    bench.machine.load_kvm("npt=0")
    bench.check("trace unsync", zap_problems(bench, ""), f"{' '.join(map(str, LEVELS))}, {TASKS * ROUNDS - 1} batches")
    where = "--where 'levels(2) >= 2'"
    bench.check("trace unsync", zap_problems(bench, where), where)
    bench.check("trace unsync", filter_problems(bench), "a filter that nothing passes, --count, --summary")
    bench.check("trace unsync", sync_problems(bench), "batches of mmu_sync_children, too")


def zap_problems(bench, options):
    """Each switch but the first zaps the root of the task before, whose tables are all unsync."""
    with traced(bench, f"trace unsync {options}") as trace, \
            bench.machine.guests(f"live_guest rewrite rounds={ROUNDS}") as (guest,):
        guest.wait_for("^DONE")
        time.sleep(SETTLE_SECONDS)
        trace.end()
    batches = [record for record in trace.records if record.get("function") == ZAP]
    problems = trace.problems()
    if len(batches) != TASKS * ROUNDS - 1:
        problems.append(f"{len(batches)} batches, not {TASKS * ROUNDS - 1}")
    for batch in batches:
        problems += batch_problems(batch)
    return problems


def batch_problems(batch):
    """What is wrong with a batch that must be as the guest made it."""
    pages, name = batch["pages"], f"batch {batch['batch']}"
    if [page["level"] for page in pages] != LEVELS:
        return [f"{name} has the levels {[page['level'] for page in pages]}"]
    problems = [f"{name} has notes: {batch['notes']}"] if batch.get("notes") else []
    if pages[0]["idx"] != -1 or pages[0]["sp"] != batch["root_sp"] or (batch["vm"], batch["vcpu"]) != (0, 0):
        problems.append(f"{name} is of another root or vCPU: {batch}")
    if [step["at"] for step in batch["steps"]] != list(PATHS):
        return problems + [f"{name} has the steps {[step['at'] for step in batch['steps']]}"]
    for step in batch["steps"]:
        above = [pages[at]["sp"] for at in PATHS[step["at"]]]
        # The entry that is taken inside each parent is that of the page below it.
        entries = [pages[at]["idx"] for at in (step["at"], *PATHS[step["at"]][:-1])]
        if step["sp"] != pages[step["at"]]["sp"] or [parent["sp"] for parent in step["parents"]] != above:
            problems.append(f"{name} has another path at step {step['at']}: {step}, of {pages}")
        elif [parent["idx"] for parent in step["parents"]] != entries:
            problems.append(f"{name} has other entries at step {step['at']}: {step}, of {pages}")
    return problems


def filter_problems(bench):
    problems = []
    with bench.machine.guests("live_guest rewrite"):
        for options, count in (("--where 'levels(2) >= 3' --for 2", 0), ("--count 1", 1), ("--count 7", 7)):
            answer = bench.run(f"exec kvmscope -f jsonl trace unsync {options} --yes")
            found = sum('"function"' in line for line in answer.output.splitlines())
            if answer.status != 0 or found != count:
                problems.append(f"{options}: {answer.how_it_ended()}, {found} batches: {answer.errors[-1000:]}")
        answer = bench.run("exec kvmscope trace unsync --summary --for 2 --yes")
        if "4 3 2 1 1 1 3 2 1" not in answer.output:
            problems.append(f"--summary: {answer.how_it_ended()}: {answer.output}{answer.errors[-1000:]}")
    return problems


def sync_problems(bench):
    with traced(bench, "trace unsync") as trace, bench.machine.guests("live_guest slots"):
        time.sleep(3)
        trace.end()
    functions = Counter(record["function"] for record in trace.records if "function" in record)
    # KVM may stop in the middle of a batch to let others run, and so did we: such a batch has a note.
    return trace.problems((0, 4)) + [f"no batch of {name}" for name in (ZAP, SYNC) if not functions[name]]
