#!/usr/bin/python3
"""Holds snapshots of the lab's dumps against their schema, the commands and the oracle."""

import copy
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import jsonschema

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import lab_dumps, product  # pylint: disable=wrong-import-position
from lab.checks import Checks, run_alone  # pylint: disable=wrong-import-position
from lab.oracle.commands import COMMANDS, open_kernel  # pylint: disable=wrong-import-position

SCHEMA = Path(__file__).resolve().parents[2] / "scripts" / "snapshot.schema.json"
DEPTHS = ("summary", "roots", "pages", "trees")
SCENARIOS = ("shadow", "tdp", "la57")
KERNELS = ("6.1", "6.12")
SHOWN = 5


def closed(schema):
    """The schema without leave for keys that it does not name: readers have it, the writer has not."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {key: closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and "type" in schema:
        strict.setdefault("additionalProperties", False)
    return strict


def validator():
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(closed(schema))


def schema_problems(checker, document) -> list:
    return [f"/{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"
            for error in list(checker.iter_errors(document))[:SHOWN]]


def take(program: Path, dump, folder: Path, depth: str, name: str = "now.json"):
    """A snapshot in a file, and what is wrong with the run."""
    path = folder / name
    answer = product.run(program, ["-c", dump.path, "-s", dump.debug, "snapshot", "-o", path, "--depth", depth])
    if answer.status != 0 or answer.output or answer.errors:
        return None, [answer.how_it_ended(), answer.output, answer.errors]
    text = path.read_bytes()
    if name.endswith(".zst"):
        text = subprocess.run(["zstd", "-dc", path], check=True, capture_output=True).stdout
    mode = path.stat().st_mode & 0o7777
    others = [file.name for file in folder.iterdir() if file != path]
    problems = [f"mode {mode:o}"] * (mode != 0o600) + [f"{other} was left behind" for other in others]
    return json.loads(text), problems


def command_problems(program: Path, dump, document) -> list:
    """Its records are those of the commands."""
    problems = []
    vms = list(document["vms"].values())
    for command, key in (("vms", "vm"), ("vcpus", "vcpus"), ("roots", "roots"), ("slots", "slots"),
                         ("levels", "levels"), ("pages --tdp", "pages")):
        records, wrong = product.records(program, dump.path, dump.debug, command)
        ours = [vm[key] for vm in vms] if key == "vm" else [record for vm in vms for record in vm[key]]
        problems += wrong
        if ours != records:
            problems.append(f"{key}: {len(ours)} records that are not the {len(records)} of `{command}`")
    return problems


def count_problems(document) -> list:
    """What is counted is what is listed."""
    problems = []
    for name, vm in document["vms"].items():
        counts, pages = vm["page_counts"], vm["pages"]
        wanted = {"pages": len(pages), "bytes": 4096 * len(pages), "unreadable": 0}
        for flag in ("unsync", "invalid", "obsolete"):
            wanted[flag] = sum(page[flag] for page in pages)
        wanted["roots"] = sum(page["root_count"] > 0 for page in pages)
        problems += [f"{name}: {key} is {counts[key]}, not {value}" for key, value in wanted.items()
                     if counts[key] != value]
        if sum(role["pages"] for role in counts["by_role"]) != len(pages):
            problems.append(f"{name}: the roles' pages are not all pages")
    return problems


def leaves_of(program: Path, dump, name: str) -> dict:
    """Address -> (level, access, dirty) of each leaf that `tree` shows."""
    records, _ = product.records(program, dump.path, dump.debug, f"tree {name}")
    leaves = {}
    for record in records:
        if record["kind"] == "leaf":
            access = "".join(letter if letter in record["flags"] else "-" for letter in "rwxu")
            leaves[int(record["address"], 16)] = (record["level"], access, "dirty" in record["flags"])
    return leaves


def tree_problems(program: Path, dump, document) -> list:
    """The runs of a tree are its leaves, merged as far as they go."""
    problems = []
    for vm in document["vms"].values():
        for tree in vm["trees"]:
            wanted = leaves_of(program, dump, tree["name"])
            found, before = {}, None
            for run in tree["runs"]:
                first, last = int(run["first"], 16), int(run["last"], 16)
                kind = (run["level"], run["access"], run["dirty"])
                if before == (first - 1, kind):
                    problems.append(f"{tree['name']}: the run at {first:#x} goes on where one ended")
                before = (last, kind)
                found |= {address: kind for address in range(first, last + 1, 4096 << 9 * (run["level"] - 1))}
            if found != wanted or tree["leaves"] != len(wanted):
                problems.append(f"{tree['name']}: {len(found)} leaves that are not the {len(wanted)} of `tree`")
    return problems


def oracle_problems(dump, document) -> list:
    """The oracle, which shares nothing with kvmscope, finds the same roots and pages."""
    kernel = open_kernel("own", dump.path, dump.debug)
    problems = []
    for command in ("roots", "pages"):
        ours = [record for vm in document["vms"].values() for record in vm[command] if not record.get("tdp_mmu")]
        theirs = [record for record in COMMANDS[command](kernel) if not record.get("tdp_mmu")]
        keys = set(ours[0]) & set(theirs[0]) if ours and theirs else set()
        differ = [(one, other) for one, other in zip(ours, theirs) if any(one[key] != other[key] for key in keys)]
        if len(ours) != len(theirs) or differ:
            problems.append(f"{command}: {len(ours)} and {len(theirs)} records, {differ[:1]}")
    return problems


def run_scenario(program: Path, scenario: str, series: str, checks: Checks) -> None:
    checker = validator()
    (dump,) = lab_dumps.get(scenario, series, "elf")
    for depth in DEPTHS:
        with tempfile.TemporaryDirectory(prefix="kvmscope-") as folder:
            document, problems = take(program, dump, Path(folder), depth)
            title = f"snapshot {scenario} {series}"
            checks.check(title, problems or schema_problems(checker, document), f"{depth} fits the schema")
    if document is None:
        return
    checks.check(title, command_problems(program, dump, document), "has the records of the commands")
    checks.check(title, count_problems(document), "counts what it lists")
    checks.check(title, tree_problems(program, dump, document), "has the leaves of each tree")
    checks.check(title, oracle_problems(dump, document), "has the oracle's roots and pages")


def compressed_problems(program: Path, dump) -> list:
    with tempfile.TemporaryDirectory(prefix="kvmscope-") as name, \
            tempfile.TemporaryDirectory(prefix="kvmscope-") as other:
        packed, problems = take(program, dump, Path(name), "pages", "now.json.zst")
        plain, more = take(program, dump, Path(other), "pages")
        if packed and plain:
            packed["time"] = plain["time"]
            problems += ["it is not the same document"] * (packed != plain)
        return problems + more


def unchecked_problems(checker, document) -> list:
    """The schema is no rubber stamp: changes of each kind are seen."""
    problems = []
    vm = next(iter(document["vms"]))
    for change in (lambda d: d.update(schema="kvmscope.snapshot/2"), lambda d: d.update(truth="sure"),
                   lambda d: d["vms"][vm]["roots"][0].pop("hpa"), lambda d: d["vms"][vm]["pages"][0].update(gfn=7),
                   lambda d: d["vms"][vm]["pages"][0].update(unknown=1), lambda d: d["vms"][vm].pop("slots")):
        changed = copy.deepcopy(document)
        change(changed)
        if not schema_problems(checker, changed):
            problems.append("a change of the document fits the schema")
    return problems


def run_all(program: Path, checks: Checks) -> None:
    for scenario in SCENARIOS:
        for series in KERNELS:
            run_scenario(program, scenario, series, checks)
    (dump,) = lab_dumps.get("shadow", "6.1", "elf")
    checks.check("snapshot", compressed_problems(program, dump), "the same when it is compressed")
    with tempfile.TemporaryDirectory(prefix="kvmscope-") as folder:
        document, problems = take(program, dump, Path(folder), "pages")
        checks.check("snapshot", problems or unchecked_problems(validator(), document), "the schema sees what is wrong")


if __name__ == "__main__":
    sys.exit(run_alone(run_all, __doc__))
