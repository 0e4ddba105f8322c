#!/usr/bin/python3
"""Kills kvmscope while it writes snapshots, names things badly, and checks metrics with promtool."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LAB = Path(__file__).resolve().parent
sys.path[:0] = [str(LAB.parent), str(LAB)]

from lab import faults, lab_dumps, product, promtool  # pylint: disable=wrong-import-position
from lab.checks import Checks, run_alone  # pylint: disable=wrong-import-position
from lab.oracle.commands import open_kernel  # pylint: disable=wrong-import-position

KILLS = 200
BOTH_EVERY = 4  # kills are of the process that keeps the file, too
PATIENCE = 5.0  # seconds until what was left is gone
SERIES = 500

# What a terminal would act on.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def is_lock(file: Path) -> bool:
    return file.name == ".kvmscope.lock"


def wait_until_alone(path: Path) -> list[str]:
    """Until nothing but the file is in its folder; what is left at last."""
    end = time.monotonic() + PATIENCE
    # An empty lock file may stay when a process is killed before it has started the one that cleans up.
    while others := [file.name for file in path.parent.iterdir() if file != path and not is_lock(file)]:
        if time.monotonic() > end:
            return others
        time.sleep(0.005)
    return []


def run_when_free(command: list) -> None:
    """The lock is that of a process which the kernel is about to end."""
    end = time.monotonic() + PATIENCE
    while subprocess.run(command, check=time.monotonic() > end, stderr=subprocess.DEVNULL).returncode != 0:
        time.sleep(0.01)


def kill_problems(program: Path, dump) -> list[str]:
    """A file is the old one or the new one, however often its writers are killed."""
    chance = random.Random(4)
    problems, killed = [], 0
    with tempfile.TemporaryDirectory(prefix="kvmscope-") as name:
        path = Path(name) / "now.json"
        command = [program, "-c", dump.path, "-s", dump.debug, "snapshot", "--depth", "trees", "-o", path]
        started = time.monotonic()
        subprocess.run(command, check=True)
        whole = time.monotonic() - started
        for number in range(10 * KILLS):
            if killed == KILLS:
                break
            with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
                time.sleep(chance.uniform(0, whole))
                keepers = children(process.pid) if number % BOTH_EVERY == 0 else []
                for pid in [*keepers, process.pid]:
                    kill(pid)
                killed += process.wait() == -signal.SIGKILL
            try:
                json.loads(path.read_text())
            except ValueError as error:
                problems.append(f"kill {number}: {error}")
            if keepers:  # what they left is no obstacle for the next one, which clears it away
                run_when_free(command)
            left = wait_until_alone(path)
            problems += [f"kill {number} left {left}"] * bool(left)
        if killed < KILLS:
            problems.append(f"only {killed} of {KILLS} kills came in time")
    return problems


def name_problems(program: Path, dump, folder: Path) -> list[str]:
    """A process's name, whatever bytes it has, is harmless in every format."""
    overlay = folder / "overlay"
    overlay.write_text(faults.overlay(open_kernel("own", dump.path, dump.debug), "bad-name"))
    options = ["-c", dump.path, "-s", dump.debug, "--overlay", overlay]
    problems = []
    for words in (["vms", "-f", "table"], ["vms", "-f", "csv", "-o", "all"], ["vms", "-f", "jsonl"], ["snapshot"],
                  ["metrics"]):
        answer = product.run(program, [*options, *words])
        if answer.status != 0 or CONTROL.search(answer.output) or "[31m" not in answer.output:
            problems.append(f"{words}: {answer.how_it_ended()} {answer.output[:200]!r}")
        if words == ["snapshot"]:
            names = {vm["vm"]["comm"] for vm in json.loads(answer.output)["vms"].values()}
            problems += [f"the names are {names}"] * (len(names) != 1)
        if words == ["metrics"]:
            problems += promtool.problems(answer.output)
    snapshots = [folder / "old.json", folder / "new.json"]
    product.run(program, [*options, "snapshot", "-o", snapshots[0]])
    document = json.loads(snapshots[0].read_text())
    document["vms"] = {key + "\x1b[31m\n": vm for key, vm in document["vms"].items()}
    snapshots[1].write_text(json.dumps(document))
    for words in (["diff", *snapshots], ["timeline", *snapshots], ["timeline", *snapshots, "-f", "csv"]):
        answer = product.run(program, words)
        if answer.status != 0 or CONTROL.search(answer.output) or "[31m" not in answer.output:
            problems.append(f"{words[0]}: {answer.how_it_ended()} {answer.output[:200]!r}")
    return problems


def metric_problems(program: Path, dump) -> list[str]:
    answer = product.run(program, ["-c", dump.path, "-s", dump.debug, "metrics"])
    if answer.status != 0 or answer.errors:
        return [answer.how_it_ended(), answer.errors]
    vms, problems = product.records(program, dump.path, dump.debug, "vms")
    for vm in vms:
        for line in (f'kvmscope_vm_vcpus{{vm="{vm["id"]}"}} {vm["vcpus"]}',
                     f'kvmscope_vm_shadow_pages_used{{vm="{vm["id"]}"}} {vm["mmu_pages_used"]}'):
            problems += [f"there is no line {line}"] * (line not in answer.output.splitlines())
    return problems + promtool.problems(answer.output)


def series_problems(program: Path, dump, folder: Path) -> list[str]:
    """`timeline` over many snapshots finds the roots' changes that were put into them."""
    first = folder / "0000.json"
    product.run(program, ["-c", dump.path, "-s", dump.debug, "snapshot", "-o", first])
    text = first.read_text()
    document = json.loads(text)
    key, vm = next((key, vm) for key, vm in document["vms"].items()
                   if sum(root["valid"] for root in vm["roots"]) > 1)
    vcpu = vm["roots"][0]["vcpu"]
    current, other = [root for root in vm["roots"] if root["vcpu"] == vcpu and root["valid"]][:2]
    for field in ("hpa", "pgd"):
        current[field], other[field] = other[field], current[field]
    changed = json.dumps(document)
    for number in range(1, SERIES):
        (folder / f"{number:04}.json").write_text(changed if number % 5 == 4 else text)
    answer = product.run(program, ["timeline", *sorted(folder.glob("0*.json")), "-f", "json"])
    if answer.status != 0:
        return [answer.how_it_ended(), answer.errors]
    records = [record for record in json.loads(answer.output) if (record["vm"], record["vcpu"]) == (key, vcpu)]
    wanted = {"snapshots": SERIES, "changes": 2 * (SERIES // 5) - 1, "known": 2 * (SERIES // 5) - 1, "new": 0, "roots": 2}
    return [f"{name} is {records[0][name]}, not {value}" for name, value in wanted.items()
            if records[0][name] != value]


def lost_problems(program: Path, folder: Path) -> list[str]:
    """A dump that lacks some of KVM's own pages differs in nothing from the whole one of the same moment."""
    files = []
    for dump in lab_dumps.get("shadow", "6.12", "elf", "kdump-lzo-d31"):
        files.append(folder / dump.path.name)
        subprocess.run([program, "-c", dump.path, "-s", dump.debug, "snapshot", "--depth", "trees", "-o", files[-1]],
                       check=False, capture_output=True)
    if b'"lost"' not in files[1].read_bytes():
        return ["nothing was lost: nothing was tested"]
    answer = subprocess.run([program, "diff", *files, "-f", "json"], check=False, capture_output=True, text=True)
    wrong = answer.returncode != 4 or json.loads(answer.stdout) != [] or "not compared" not in answer.stderr
    return [f"status {answer.returncode}: {answer.stdout[:2000]} {answer.stderr}"] * wrong


def run_all(program: Path, checks: Checks) -> None:
    (dump,) = lab_dumps.get("shadow", "6.1", "elf")
    checks.check("series", kill_problems(program, dump), f"{KILLS} kills leave no broken file")
    with tempfile.TemporaryDirectory(prefix="kvmscope-") as folder:
        checks.check("series", name_problems(program, dump, Path(folder)), "names from users are harmless")
    with tempfile.TemporaryDirectory(prefix="kvmscope-") as folder:
        checks.check("series", series_problems(program, dump, Path(folder)), f"timeline over {SERIES} snapshots")
    with tempfile.TemporaryDirectory(prefix="kvmscope-") as folder:
        checks.check("series", lost_problems(program, Path(folder)), "a lost value is no difference")
    for scenario in ("shadow", "tdp", "la57"):
        for series in ("6.1", "6.12"):
            (dump,) = lab_dumps.get(scenario, series, "elf")
            checks.check("series", metric_problems(program, dump), f"metrics of {scenario} {series}")


if __name__ == "__main__":
    sys.exit(run_alone(run_all, __doc__))
