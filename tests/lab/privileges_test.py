#!/usr/bin/python3
"""Tests how kvmscope gives up root, and compares `info --footprint` with what strace saw it open."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import lab_dumps, product  # pylint: disable=wrong-import-position
from lab.checks import Checks, run_alone  # pylint: disable=wrong-import-position

SECONDS = 60
NOBODY = 65534
USER = 12345  # behind sudo

# What libraries open for themselves once main() runs.
OF_LIBRARIES = re.compile(r"\.so(\.|$)|^/etc/ld\.so|^/etc/localtime$|^/usr/share/zoneinfo/|/locale/|gconv")

OPENED = re.compile(r'open(?:at)?\((?:AT_FDCWD, )?"(?P<path>[^"]*)", (?P<flags>[A-Z_|]+)[^)]*\) = \d+$')
BECAME = re.compile(r"setresuid\((?P<uid>\d+),.* = 0$")
# The C++ library's start-up ends with it: from here on it is us.
STARTED = re.compile(r"rt_sigaction\(SIGINT,")


def run(arguments, *, user=None, text="", tracer=()):
    """Runs kvmscope as root, through sudo if a user is given."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SUDO_")}
    if user is not None:
        environment |= {"SUDO_UID": str(user), "SUDO_GID": str(user)}
    return subprocess.run([*map(str, tracer), *map(str, arguments)], input=text, capture_output=True, text=True,
                          timeout=SECONDS, check=False, env=environment | product.NO_CACHE)


def how(flags: str) -> str:
    if "O_APPEND" in flags:
        return "append"
    return "write" if "O_WRONLY" in flags or "O_RDWR" in flags else "read"


def seen_by_strace(trace: str) -> set:
    """Each file that was opened: path, how and by whom."""
    opened = set()
    started = False
    user = 0
    for line in trace.splitlines():
        started = started or STARTED.search(line) is not None
        if became := BECAME.search(line):
            user = int(became["uid"])
        found = OPENED.search(line)
        if found and started and "O_DIRECTORY" not in found["flags"] and not OF_LIBRARIES.search(found["path"]):
            opened.add((found["path"], how(found["flags"]), user))
    return opened


def footprint_problems(command: list, folder: Path, extra: list, user) -> list:
    """What `info --footprint` says beside what strace saw."""
    trace = folder / "trace"
    tracer = ["strace", "-o", trace, "-e", "trace=open,openat,creat,openat2,setresuid,rt_sigaction"]
    answer = run([*command, *extra, "-e", "info --footprint -f json"], user=user, tracer=tracer)
    if answer.returncode != 0:
        return [f"status {answer.returncode}: {answer.stderr}"]
    said = {(record["path"], record["how"], record["uid"]) for record in json.loads(answer.stdout)}
    seen = seen_by_strace(trace.read_text())
    return [*(f"strace saw {file}, the footprint lacks it" for file in sorted(seen - said)),
            *(f"the footprint has {file}, strace did not see it" for file in sorted(said - seen)),
            *([] if said else ["the footprint is empty"])]


def status_problems(command: list, user) -> list:
    """What the kernel says of a program behind a pipe, which is what it says of kvmscope."""
    answer = run([*command, "-e", "help | cat /proc/self/status"], user=user)
    lines = dict(line.split(":", 1) for line in answer.stdout.splitlines())
    uid = user or NOBODY
    wanted = {"Uid": [str(uid)] * 4, "Gid": [str(uid)] * 4, "Groups": [], "NoNewPrivs": ["1"], "Seccomp": ["2"],
              **{name: ["0" * 16] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}}
    return [f"{name} is {lines.get(name)}, not {value}" for name, value in wanted.items()
            if lines.get(name, "missing").split() != value]


def inherited_problems(command: list) -> list:
    answer = run([*command, "-e", "roots | ls -l /proc/self/fd"])
    others = [line for line in answer.stdout.splitlines()
              if "->" in line and int(line.split()[-3]) > 2 and "/proc/" not in line.split()[-1]]
    return [f"a program inherited {line}" for line in others] + ([] if "->" in answer.stdout else [answer.stderr])


def written_problems(command: list, folder: Path) -> list:
    """Files named on the command line are written, others are not, and the words say what to do."""
    problems = []
    script = folder / "script"
    script.write_text(f"vms >> {folder}/two\n")
    (folder / "two").write_text("old\n")
    answer = run([*command, "-e", f"vms > {folder}/one", "-x", script])
    one, two = ((folder / name).read_text() for name in ("one", "two"))
    if answer.returncode != 0 or not one.startswith("VM") or two != "old\n" + one:
        problems.append(f"status {answer.returncode}: {answer.stderr} {one!r} {two!r}")
    script.write_text(f"vms > {folder}/three\n")
    answer = run([*command, "-e", f"source {script}"])
    if answer.returncode != 2 or "given up" not in answer.stderr or (folder / "three").exists():
        problems.append(f"a line that came later: status {answer.returncode}: {answer.stderr}")
    answer = run([*command, "-e", f"vms | tee {folder}/four"])
    if "Operation not permitted" not in answer.stderr or (folder / "four").exists() or one not in answer.stdout:
        problems.append(f"tee: status {answer.returncode}: {answer.stderr}")
    return problems


def later_problems(command: list, folder: Path) -> list:
    """Of a dump, lines of standard input write where the user may, who need not be root for that."""
    problems = []
    for user, owner in ((None, 0), (USER, USER)):
        home = folder / f"home-{user}"
        home.mkdir()
        os.chown(home, owner, owner)
        answer = run(command, user=user, text=f"vms > {home}/one\nvms | tee {home}/two\ninfo\n")
        wrote = sorted((path.name, path.stat().st_uid) for path in home.iterdir())
        root = "given up" if user else "kept"
        if answer.returncode != 0 or wrote != [("one", owner), ("two", owner)] or \
                not re.search(f"root +{root}\n", answer.stdout):
            problems.append(f"as {user}: status {answer.returncode}, wrote {wrote}: {answer.stdout} {answer.stderr}")
    return problems


KEEPER = "kvmscope-keeper"
DAC_OVERRIDE = 1 << 1  # CAP_DAC_OVERRIDE


def status_of(pid: int) -> dict[str, str]:
    return dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)


def find_keeper(parent: int) -> dict[str, str] | None:
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    statuses = [status_of(int(child)) for child in children]
    return next((status for status in statuses if status["Name"] == KEEPER and status["Seccomp"] == "2"), None)


def keeper_problems(command: list, folder: Path) -> list:
    """Who puts a snapshot in place may do that alone, also in a user's folder; who looks at the target may not."""
    theirs = folder / "theirs"
    theirs.mkdir()
    os.chown(theirs, USER, USER)
    file = theirs / "now.json"
    with subprocess.Popen([*map(str, command), "-e", "vms | sleep 3", "-e", f"snapshot -o {file}"],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        keeper, end = None, time.monotonic() + 3
        while keeper is None and time.monotonic() < end:
            keeper = find_keeper(process.pid)
            time.sleep(0.01)
        errors = process.communicate(timeout=SECONDS)[1]
    if keeper is None:
        return ["nobody keeps the file"]
    problems = [f"status {process.returncode}: {errors}"] * (process.returncode != 0)
    wanted = {"CapEff": f"{DAC_OVERRIDE:016x}", "CapPrm": f"{DAC_OVERRIDE:016x}", "CapInh": f"{0:016x}",
              "NoNewPrivs": "1"}
    problems += [f"{name} is {keeper[name]}" for name, value in wanted.items() if keeper[name] != value]
    left = [path.name for path in theirs.iterdir()]
    return problems + [f"the folder has {left}"] * (left != [file.name])


def program_problems(command: list) -> list:
    """Programs that only read work as ever."""
    wanted = run([*command, "vms"]).stdout.splitlines()
    problems = []
    for program, lines in (("cat", wanted), ("sort -r", sorted(wanted, reverse=True)), ("less", wanted),
                           ("python3 -c 'import sys; sys.stdout.write(sys.stdin.read())'", wanted)):
        answer = run([*command, "-e", f"vms | LC_ALL=C {program}"])
        if answer.stdout.splitlines() != lines or answer.stderr:
            problems.append(f"{program}: {answer.stdout!r} {answer.stderr}")
    return problems


def run_all(program: Path, checks: Checks) -> None:
    """All of it, on one dump."""
    if os.geteuid() != 0:
        print("skip giving up root: this is no root")
        return
    (dump,) = lab_dumps.get("shadow", "6.1", "elf")
    (packed,) = lab_dumps.get("shadow", "6.1", "kdump-zlib")
    command = [program, "-c", dump.path, "-s", dump.debug]
    with tempfile.TemporaryDirectory(prefix="kvmscope-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        overlay = folder / "overlay"
        overlay.write_text("0x0 00\n")
        script = folder / "script"
        script.write_text("# nothing\n")
        out = folder / "out"
        for title, extra, user in (
                ("alone", [], None),
                ("behind sudo", [], USER),
                ("with an overlay, outputs and a script",
                 ["--overlay", overlay, "-e", f"vms > {out}", "-e", f"vms >> {out}", "-x", script],
                 None)):
            checks.check(f"footprint {title}", footprint_problems(command, folder, extra, user))
        checks.check("footprint of a kdump",
                     footprint_problems([program, "-c", packed.path, "-s", packed.debug], folder, [], None))
        checks.check("rights of nobody", status_problems(command, None))
        checks.check("rights of the user behind sudo", status_problems(command, USER))
        checks.check("programs inherit no descriptor", inherited_problems(command))
        checks.check("files that are written", written_problems(command, folder))
        checks.check("files that lines of standard input name", later_problems(command, folder))
        checks.check("the keeper of a snapshot", keeper_problems(command, folder))
        checks.check("programs that read", program_problems(command))


if __name__ == "__main__":
    sys.exit(run_alone(run_all, __doc__))
