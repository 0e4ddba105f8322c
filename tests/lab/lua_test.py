#!/usr/bin/python3
"""Lua on the lab's dumps: the example programs agree with the commands, and bad programs end well."""

import json
import re
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

LAB = Path(__file__).resolve().parent
sys.path[:0] = [str(LAB.parent), str(LAB)]

from lab import lab_dumps, product  # pylint: disable=wrong-import-position
from lab.checks import Checks, run_alone  # pylint: disable=wrong-import-position

EXAMPLES = LAB.parents[1] / "scripts" / "examples"
CASES = LAB / "lua_programs.toml"
CTRL_C_SECONDS = 6.0  # until a program has ended, however deep it is in a call of Lua's library


def run(program, dump, script, *arguments):
    return product.run(program, ["-c", dump.path, "-s", dump.debug, "-x", script, *arguments])


def example(program, dump, name, *arguments, status=0):
    """What it printed, and what is wrong with the run."""
    answer = run(program, dump, EXAMPLES / f"{name}.lua", *arguments)
    wrong = answer.status != status or answer.errors
    return answer.output, [f"{name}: {answer.how_it_ended()}: {answer.errors}"] if wrong else []


def numbers(value):
    """JSON of a command as Lua has it: addresses are numbers, what is null is not there."""
    if isinstance(value, dict):
        return {key: numbers(element) for key, element in value.items() if element is not None}
    if isinstance(value, list):
        return [numbers(element) for element in value]
    if isinstance(value, str) and value.startswith("0x"):
        return int(value, 16)
    return value % 2**64 if isinstance(value, int) and not isinstance(value, bool) else value


def unsync_problems(program, dump, wanted):
    """Experiment 1: the batches and their paths are those of `unsync`."""
    output, problems = example(program, dump, "unsync_batches", "--json")
    batches, wrong = product.records(program, dump.path, dump.debug, "unsync")
    problems += wrong
    if problems:
        return problems
    if json.loads(output) != numbers(batches):
        problems.append(f"{len(json.loads(output))} batches are not the {len(batches)} of unsync")
    if len(batches) < wanted:
        problems.append(f"{len(batches)} batches: nothing was tested")
    steps = sum(len(batch["steps"]) for batch in batches)
    output, wrong = example(program, dump, "unsync_batches")
    if len(re.findall("^  step ", output, re.M)) != steps:
        problems.append(f"not {steps} steps: {output[:500]}")
    return problems + wrong


def root_problems(program, dump):
    """Experiments 2 and 3 on a dump: the roots are those of `roots`, and nothing changes."""
    output, problems = example(program, dump, "root_changes")
    roots, wrong = product.records(program, dump.path, dump.debug, "roots")
    vcpus, more = product.records(program, dump.path, dump.debug, "vcpus")
    current = {(root["vm"], root["vcpu"], root["mmu"]): root for root in roots if root["slot"] == "current"}
    for vcpu in vcpus:
        root = current[vcpu["vm"], vcpu["vcpu"], vcpu["mmu"]]
        if root["valid"]:
            line = f"{vcpu['vm']}.{vcpu['vcpu']}  root_hpa {root['hpa']}  "
            problems += [f"no line {line}"] * (line not in output)
    problems += ["a dump changes"] * (re.findall(r"(\d+) changes", output) != ["0"] * len(vcpus))
    output, missed = example(program, dump, "missed_roots")
    problems += [f"missed_roots: {output}"] * (not output.startswith(f"{len(vcpus)} vCPUs"))
    return problems + wrong + more + missed


def page_problems(program, dump):
    """The other five, against `pages`."""
    pages, problems = product.records(program, dump.path, dump.debug, "pages --tdp")
    output, wrong = example(program, dump, "shadow_roles")
    counts = [sum(map(int, re.findall(rf"(\d+) {word}", output))) for word in ("pages", "unsync")]
    if counts != [len(pages), sum(page["unsync"] for page in pages)]:
        problems.append(f"shadow_roles counts {counts} of {len(pages)} pages")
    shadow = [page for page in pages if not page["tdp_mmu"]]
    output, more = example(program, dump, "check_unsync_counts")
    if output != f"{len(shadow)} pages, 0 with a wrong count\n":
        problems.append(f"check_unsync_counts: {output[-300:]}")
    wrong += more
    tables = {}
    for page in shadow:
        if not page["direct"]:
            tables.setdefault((page["vm"], page["gfn"]), []).append(page)
    shared = sum(len(group) > 1 for group in tables.values())
    output, more = example(program, dump, "shared_gfns")
    found = re.findall(r"(\d+) guest tables are shadowed, (\d+) of them", output)
    if [sum(int(pair[i]) for pair in found) for i in (0, 1)] != [len(tables), shared]:
        problems.append(f"shared_gfns: {found}, not {len(tables)} and {shared}")
    wrong += more
    output, more = example(program, dump, "stale_pages")
    found = re.findall(r"(\d+) of \d+ pages are stale", output)
    if sum(map(int, found)) != sum(page["invalid"] or page["obsolete"] for page in shadow):
        problems.append(f"stale_pages: {output[-500:]}")
    wrong += more
    output, more = example(program, dump, "slot_coverage")
    slots, less = product.records(program, dump.path, dump.debug, "slots")
    if len(re.findall(" mapped, ", output)) != len(slots) or not re.search(r" [1-9]\d* mapped", output):
        problems.append(f"slot_coverage: {output[:500]}")
    return problems + wrong + more + less


# Of each VM: its vCPUs by the xarray, its slots by the rbtree, its shadow pages by the list; those of them that the hash
# lacks.
CONTAINERS = """
local all = {}
for index, vm in ipairs(vms()) do
  local kvm, counts = vm.object, {vcpus = 0, slots = 0, pages = 0, not_hashed = 0}
  for idx, vcpu in xarray(kvm.vcpu_array, 'struct kvm_vcpu') do
    if vcpu.vcpu_idx ~= idx then error('vCPU ' .. idx) end
    counts.vcpus = counts.vcpus + 1
  end
  for _, slots in elements(kvm.memslots) do
    local last = -1
    for slot in rbtree(slots.gfn_tree, 'struct kvm_memory_slot', 'gfn_node[' .. slots.node_idx .. ']') do
      if slot.base_gfn <= last then error('slots are out of order') end
      last, counts.slots = slot.base_gfn, counts.slots + 1
    end
  end
  local hashed = {}
  for bucket = 0, 4095 do  -- an array, or a pointer to one
    for page in hlist(kvm.arch.mmu_page_hash[bucket], 'struct kvm_mmu_page', 'hash_link') do hashed[value(page)] = true end
  end
  for page in list(kvm.arch.active_mmu_pages, 'struct kvm_mmu_page', 'link') do
    counts.pages = counts.pages + 1
    if not hashed[value(page)] then counts.not_hashed = counts.not_hashed + 1 end
  end
  all[index] = counts
end
print(json(all))
"""


def container_problems(program, dump, script):
    """What a user's loops over the kernel's containers find is what the commands find."""
    script.write_text(CONTAINERS)
    answer = run(program, dump, script)
    vms, problems = product.records(program, dump.path, dump.debug, "vms")
    pages, wrong = product.records(program, dump.path, dump.debug, "pages")
    if answer.status != 0 or answer.errors:
        return [f"{answer.how_it_ended()}: {answer.errors}"]
    wanted = [{"vcpus": vm["vcpus"], "slots": vm["slots"], "not_hashed": 0,
               "pages": sum(page["vm"] == vm["vm"] for page in pages)} for vm in vms]
    if json.loads(answer.output) != wanted:
        problems.append(f"{answer.output} is not {wanted}")
    return problems + wrong


def bad_problems(program, dump, case, script):
    """A program of the table ends as the table says."""
    script.write_text(case["program"])
    answer = product.run(program, ["-c", dump.path, "-s", dump.debug, *case.get("options", []), "-x", script])
    problems = [] if answer.status == case["status"] else [f"{answer.how_it_ended()}: {answer.errors}"]
    said = answer.output + answer.errors
    problems += [f"it does not say '{word}': {said[:500]}" for word in case.get("words", []) if word not in said]
    problems += [f"it says '{word}'" for word in case.get("never", []) if word in said]
    return problems


def ctrl_c_problems(program, dump, text, script):
    script.write_text(text)
    command = [program, "-c", dump.path, "-s", dump.debug, "-x", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()  # it runs
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=CTRL_C_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return ["it goes on after Ctrl-C"]
        return [] if process.returncode == 130 else [f"status {process.returncode}"]


CTRL_C = {
    "a loop": "print(1) sleep(0) while true do end",
    "a loop in pcall": "print(1) sleep(0) while true do pcall(function() while true do end end) end",
    "sleep": "print(1) sleep(1000)",
    "a pattern that does not end": "print(1) sleep(0) string.find(('a'):rep(5000), ('.-'):rep(30) .. 'b')",
    "an empty string repeated": "print(1) sleep(0) string.rep('', math.maxinteger)",
}


def run_all(program: Path, checks: Checks) -> None:
    for series in ("6.1", "6.12"):
        for scenario, batches in (("shadow", 4), ("tdp", 0), ("la57", 0)):
            (dump,) = lab_dumps.get(scenario, series, "elf")
            name = f"lua {scenario} {series}"
            checks.check(name, unsync_problems(program, dump, batches), "experiment 1 is as unsync")
            checks.check(name, root_problems(program, dump), "experiments 2 and 3 are as roots")
            checks.check(name, page_problems(program, dump), "five more programs are as pages")
            with tempfile.TemporaryDirectory(prefix="kvmscope-lua-") as folder:
                problems = container_problems(program, dump, Path(folder) / "containers.lua")
            checks.check(name, problems, "xarray, rbtree, hlist and list are as vms and pages")
    (dump,) = lab_dumps.get("shadow", "6.1", "elf")
    with tempfile.TemporaryDirectory(prefix="kvmscope-lua-") as folder:
        script = Path(folder) / "program.lua"
        for case in tomllib.loads(CASES.read_text())["case"]:
            checks.check("lua bad program", bad_problems(program, dump, case, script), case["name"])
        for name, text in CTRL_C.items():
            checks.check("lua Ctrl-C", ctrl_c_problems(program, dump, text, script), name)


if __name__ == "__main__":
    sys.exit(run_alone(run_all, __doc__))
