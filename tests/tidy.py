#!/usr/bin/python3
"""clang-tidy over every source file of the product (all that git knows but the tests); a file that passed is
checked again only when it, a header that it includes, or the rules changed."""

import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def text_of(command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def product_sources():
    """Every source file outside tests/: a new folder is linted without being named here."""
    listed = text_of(["git", "ls-files", "-co", "--exclude-standard", "*.cpp"]).splitlines()
    return {ROOT / name for name in listed
            if not name.startswith("tests/") and (ROOT / name).exists()}


def without_precompiled(command):
    """As if nothing were included but what the file names: one that lacks an include is found."""
    return re.sub(r" -Xclang -include(-pch)? -Xclang \S+| -Winvalid-pch| -fpch-\S+", "", command)


def key_of(entry, common):
    """A hash of everything that the verdict on one file depends on."""
    command = entry["command"].split()
    cut = command[: command.index("-o")] + [entry["file"], "-MM"]
    listed = subprocess.run(cut, cwd=entry["directory"], capture_output=True, text=True, check=True)
    digest = hashlib.sha256(common)
    for name in sorted(set(listed.stdout.replace("\\\n", " ").split()[1:])):
        digest.update((Path(entry["directory"]) / name).read_bytes())
    return digest.hexdigest()


def check(entry, build, cache, common):
    key = key_of(entry, common)
    if (cache / key).exists():
        return None
    done = subprocess.run(["clang-tidy", "--quiet", "-p", build, entry["file"]], cwd=ROOT,
                          capture_output=True, text=True)
    if done.returncode == 0:
        (cache / key).touch()
        return ""
    return done.stdout + done.stderr


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, help="build folder with compile_commands.json")
    parser.add_argument("--cache", required=True, type=Path)
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    common = (ROOT / ".clang-tidy").read_bytes() + text_of(["clang-tidy", "--version"]).encode()
    sources = product_sources()
    built = json.loads((ROOT / options.build / "compile_commands.json").read_text())
    entries = [entry for entry in built if Path(entry["file"]) in sources]
    unbuilt = sources - {Path(entry["file"]) for entry in entries}
    if unbuilt or not entries:
        names = ", ".join(sorted(str(path.relative_to(ROOT)) for path in unbuilt))
        sys.exit(f"clang-tidy: {options.build} does not build {names or 'any product file'}: "
                 "not checked")
    for entry in entries:
        entry["command"] = without_precompiled(entry["command"])
    database = ROOT / options.build / "tidy"
    database.mkdir(exist_ok=True)
    (database / "compile_commands.json").write_text(json.dumps(entries))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(
            lambda entry: check(entry, database, options.cache, common), entries))
    failed = [text for text in results if text]
    print("\n".join(failed))
    checked = sum(text is not None for text in results)
    print(f"clang-tidy: {len(entries)} files, {checked} checked now, {len(failed)} with findings")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
