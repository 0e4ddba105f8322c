"""`info --footprint` must list what strace sees kvmscope open on a live kernel, and root must be given up."""

import json

from lab.privileges_test import seen_by_strace  # pylint: disable=no-name-in-module

STRACE = "strace -o /tmp/trace -e trace=open,openat,creat,openat2,setresuid,rt_sigaction"
USER = 1000
NOBODY = 65534
CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


def run(bench):
    # What is written on the first run only has names of its own while it is.
    bench.machine.channel.must("kvmscope vms")
    with bench.machine.guests("live_guest switch-4"):
        for who, environment in (("nobody", ""), ("the user behind sudo", f"SUDO_UID={USER} SUDO_GID={USER}")):
            bench.check("footprint", footprint_problems(bench, environment), who)
            bench.check("footprint", status_problems(bench, environment), f"{who}, what is left of root")
        bench.check("footprint", inherited_problems(bench), "what a program behind a pipe inherits")


def footprint_problems(bench, environment):
    lines = "-e roots -e pages -e 'info --footprint -f json'"
    answer = bench.run(f"{environment} {STRACE} kvmscope {lines}")
    if answer.status != 0:
        return [f"{answer.how_it_ended()}: {answer.errors}"]
    records = json.loads(answer.output[answer.output.index("[\n"):])
    said = {(record["path"], record["how"], record["uid"]) for record in records}
    seen = seen_by_strace(bench.machine.channel.must("cat /tmp/trace"))
    return [*(f"strace saw {file}, the footprint lacks it" for file in sorted(seen - said)),
            *(f"the footprint has {file}, strace did not see it" for file in sorted(said - seen)),
            *([] if any(path == "/proc/kcore" for path, _, _ in said) else ["the footprint lacks /proc/kcore"])]


def status_problems(bench, environment):
    """What /proc says of a program behind a pipe, which is what it says of kvmscope."""
    answer = bench.run(f"{environment} kvmscope -e 'vms | cat /proc/self/status'")
    lines = dict(line.split(":", 1) for line in answer.output.splitlines() if ":" in line)
    user = str(USER if environment else NOBODY)
    wanted = {"Uid": [user] * 4, "Gid": [user] * 4, "Groups": [], "NoNewPrivs": ["1"], "Seccomp": ["2"],
              **{name: ["0" * 16] for name in CAPABILITIES}}
    return [f"{name} is {lines.get(name)}, not {value}" for name, value in wanted.items()
            if lines.get(name, "missing").split() != value]


def inherited_problems(bench):
    answer = bench.run("kvmscope -e 'roots | ls -l /proc/self/fd'")
    files = [line.split(" -> ")[-1] for line in answer.output.splitlines() if " -> " in line]
    problems = [f"it inherited {file}" for file in files if file.startswith("/") and "/proc/" in file
                and not file.endswith("/fd")]
    return problems + ([] if files else [f"{answer.how_it_ended()}: {answer.errors}"])
