#!/usr/bin/python3
"""The layer check: each folder includes only what stands right of it in the architecture."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# folder -> folders that its files may include (itself always).
BASE = ["core/base"]
MEMORY = BASE + ["core/memory"]
TYPES = BASE + ["core/types"]
BTF = TYPES + ["core/types/btf"]
PAGING = MEMORY + ["core/paging"]
OBJECT = PAGING + TYPES + ["core/object"]
EXPRESSION = OBJECT + ["core/expression"]
KERNEL = EXPRESSION + BTF + ["core/kernel"]
KVM = KERNEL + ["core/kvm"]
AUDIT = KVM + ["core/kvm/audit"]
PROBE = KERNEL + ["core/probe"]
OUTPUT = BASE + ["commands/output"]
COMMANDS = AUDIT + PROBE + OUTPUT + ["commands", "commands/shell", "commands/snapshot", "commands/trace", "commands/translate", "commands/lua"]
ALLOWED = {
    "core/base": BASE,
    "core/memory": MEMORY,
    "core/types": TYPES,
    "core/types/btf": BTF,
    "core/paging": PAGING,
    "core/object": OBJECT,
    "core/expression": EXPRESSION,
    "core/kernel": KERNEL,
    "core/kvm": KVM,
    "core/kvm/audit": AUDIT,
    "core/probe": PROBE,
    "dwarf": TYPES + ["dwarf"],
    "commands/output": OUTPUT + ["commands"],
    "commands/shell": COMMANDS,
    "commands": COMMANDS,
    "commands/snapshot": COMMANDS,
    "commands/trace": COMMANDS,
    "commands/translate": COMMANDS,
    "commands/lua": COMMANDS,
}
# The one file that knows where types come from.
EXCEPTIONS = {"commands/main.cpp": ["dwarf"]}
# Headers of one library, in one place only.
ONLY_IN = {
    r"<(elfutils/|dwarf\.h|libelf\.h|gelf\.h)": "dwarf/",
    r"<bpf/": "core/types/btf/",
    r"<libkdumpfile/": "core/memory/kdump.cpp",
    r"<readline/": "commands/shell/readline",
    r"<zstd\.h": ("commands/output/zstd_writer.cpp", "commands/snapshot/source.cpp"),
    r"<lua\.hpp": "commands/lua/",
    r"<CLI/": "commands/shell/program_options.cpp",
}


def folder_of(path):
    return str(Path(path).parent)


def faults_of(path, text):
    allowed = ALLOWED.get(folder_of(path))
    if allowed is None:
        return [f"{path}: its folder is in no layer"]
    allowed = allowed + EXCEPTIONS.get(path, [])
    faults = []
    for include in re.findall(r'^#include "([^"]+)"', text, re.M):
        if folder_of(include) not in allowed:
            faults.append(f"{path}: may not include {include}")
    for pattern, place in ONLY_IN.items():
        if re.search(r"^#include " + pattern, text, re.M) and not path.startswith(place):
            faults.append(f"{path}: {pattern} belongs into {place}")
    return faults


def main():
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "core", "dwarf", "commands"],
        cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    files = [name for name in listed if name.endswith((".cpp", ".hpp"))]
    faults = [fault for name in files for fault in faults_of(name, (ROOT / name).read_text())]
    print("\n".join(faults) or f"{len(files)} files keep to their layers")
    return 1 if faults or not files else 0


if __name__ == "__main__":
    sys.exit(main())
