"""`trace at`: values of a function's parameters and of its return, against guests whose vCPUs are known."""

import json

VCPUS = 2
COUNT = 40

# What is traced, its options and expressions, and the values that may be seen of each expression.
CASES = (
    ("kvm_mmu_load", "'vcpu->vcpu_id' 'vcpu->kvm->userspace_pid'", lambda vcpu, pid: vcpu in range(VCPUS) and pid > 1),
    ("kvm_mmu_load", "--return '$retval'", lambda status: status == 0),
    ("kvm_mmu_new_pgd", "'vcpu->vcpu_id' new_pgd", lambda vcpu, pgd: vcpu in range(VCPUS) and number(pgd) % 4096 == 0),
    ("mmu_zap_unsync_children", "'parent->role.level'", lambda level: level in range(1, 6)),
)


def number(value):
    return int(value, 0) if isinstance(value, str) else value


def run(bench):
    bench.machine.load_kvm("npt=0")
    with bench.machine.guests(f"live_guest rewrite vcpus={VCPUS}"):
        for place, expressions, fits in CASES:
            bench.check("trace at", problems(bench, f"{place} {expressions}", fits), f"{place} {expressions}")


def problems(bench, words, fits):
    answer = bench.run(f"exec kvmscope -f jsonl trace at {words} --count {COUNT} --yes")
    records = [json.loads(line) for line in answer.output.splitlines()]
    hits = [record for record in records if "values" in record]
    if answer.status != 0 or len(hits) != COUNT or not records[-1].get("end"):
        return [f"{answer.how_it_ended()}, {len(hits)} hits: {answer.errors[-1000:]}"]
    wrong = [hit for hit in hits if not fits(*(value["value"] for value in hit["values"]))]
    lost = [hit for hit in hits if hit["vm"] != 0 or hit["vcpu"] not in range(VCPUS)]
    return [f"values that cannot be: {hit}" for hit in wrong] + [f"not the vCPU's thread: {hit}" for hit in lost]
