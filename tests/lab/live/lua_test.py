"""Lua programs on a kernel that runs: what they sample is what the guests do."""

import re
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[3] / "scripts" / "examples"
# VM 0 goes round 4 tasks, whose roots are all kept; VM 1 round 5, whose next root never is.
GUESTS = ("live_guest switch-4", "live_guest switch-5")


def put(bench, name):
    bench.machine.channel.must(f"cat > /tmp/{name} <<'END'\n{(EXAMPLES / name).read_text()}\nEND")
    return f"/tmp/{name}"


def run(bench):
    with bench.machine.guests(*GUESTS):
        for check, problems in (("root_changes", changes(bench)), ("missed_roots", missed(bench)),
                                ("limits", limits(bench))):
            bench.check("live lua", problems, check)


def answer_of(bench, line):
    answer = bench.run(f"exec kvmscope {line}")
    return answer.output, [] if answer.status == 0 else [f"{answer.how_it_ended()}: {answer.errors}"]


def changes(bench):
    output, problems = answer_of(bench, f"-x {put(bench, 'root_changes.lua')} 3 100")
    found = {vcpu: (int(count)) for vcpu, count in re.findall(r"^(\d+\.\d+)  (\d+) changes$", output, re.M)}
    problems += [f"the root of {vcpu} never changed" for vcpu in ("0.0", "1.0") if not found.get(vcpu)]
    kinds = {vcpu: set(re.findall(rf" s  {re.escape(vcpu)}  .*  (was prev|new)", output)) for vcpu in ("0.0", "1.0")}
    problems += [f"VM 0 has new roots: {output[-500:]}"] * ("new" in kinds["0.0"])
    problems += [f"VM 1 finds roots again: {output[-500:]}"] * ("new" not in kinds["1.0"])
    return problems


def missed(bench):
    output, problems = answer_of(bench, f"-x {put(bench, 'missed_roots.lua')} 3 200")
    lines = re.findall(r"^ +\d+ +\d+ +(\d+) +(\d+)", output, re.M)
    problems += [f"not 3 seconds: {output}"] * (len(lines) != 3)
    problems += [f"nothing was known or missed: {output}"] * any("0" in line for line in lines)
    return problems


def limits(bench):
    """A budget of reads holds in Lua, and root is given up."""
    answer = bench.run("exec kvmscope --max-bytes 64K lua 'local vm = vms()[1] for i = 1, 100000 do local x = vm.object.online_vcpus.counter end'")
    problems = [] if answer.status == 4 else [f"{answer.how_it_ended()}: {answer.errors}"]
    answer = bench.run("exec kvmscope --unsafe-lua lua \"print(io.open('/tmp/new', 'w'))\"")
    return problems + [f"root writes files: {answer.output}"] * ("nil" not in answer.output)
