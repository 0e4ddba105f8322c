"""The command line of scripts/lab."""

import argparse
import concurrent.futures
import json
import sys
from pathlib import Path

import formats
import kernels
import machine
from dumps import Dump
from scenarios import GROUPS, SCENARIOS
from store import CACHE, LabError, remove

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_FORMATS = "elf,paging"


def list_all(_):
    print("scenarios:")
    for scenario in SCENARIOS:
        print(f"  {scenario.name:20}{scenario.purpose} ({', '.join(scenario.series)})")
    for group, names in GROUPS.items():
        print(f"  {group:20}{' '.join(names)}")
    print("formats:")
    for name, form in formats.FORMATS.items():
        print(f"  {name:20}{form.purpose}")


def show_kernels(_):
    for series in kernels.SERIES:
        kernel = kernels.resolve(series)
        print(f"{series} {kernel.release} {kernel.debug}")


def show_debug(options):
    print(kernels.resolve(options.kernel).debug)


def show_path(options):
    dump = Dump(find_scenarios([options.scenario])[0], kernels.resolve(options.kernel))
    path = dump.path(options.format)
    if not path.exists():
        raise LabError(f"there is no {path}: make it with `scripts/lab dump {options.scenario} "
                       f"--kernel {options.kernel} --format {options.format}`")
    print(path)


def make_dumps(options):
    qemu_version = machine.qemu_version()
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        jobs = [pool.submit(make_dump, *unit, options.format, qemu_version)
                for unit in units(options)]
        try:
            rows = [row for job in jobs for row in job.result()]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    for row in rows:
        print(row["scenario"], row["kernel"], row["format"], row["path"])


def units(options):
    """Every scenario with every kernel that was asked for; a scenario's own list limits `all`."""
    for scenario in find_scenarios(options.scenario):
        for series in scenario.series if options.kernel == "all" else [options.kernel]:
            yield scenario, series


def make_dump(scenario, kernel_name, format_names, qemu_version):
    dump = Dump(scenario, kernels.resolve(kernel_name))
    names = dump.formats if format_names == "all" else format_names.split(",")
    try:
        dump.make(names, qemu_version)
    except LabError as error:
        raise LabError(f"{dump.name}: {error}") from None
    return [{"scenario": scenario.name, "kernel": dump.kernel.release, "format": name,
             "path": str(dump.path(name)), "debug": str(dump.kernel.debug),
             "console": str(dump.folder / "console.log")} for name in names]


def find_scenarios(names):
    known = {scenario.name: scenario for scenario in SCENARIOS}
    wanted = [name for given in names for name in GROUPS.get(given, (given,))]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise LabError(f"there is no scenario {', '.join(unknown)}: see `scripts/lab list`")
    return [known[name] for name in dict.fromkeys(wanted)]


def run_live(options):
    """Prints what each command line says in a live machine; the first status that is not 0 ends it."""
    # Only this verb needs a machine of that kind.
    import live_machine  # pylint: disable=import-outside-toplevel

    kernel = kernels.resolve(options.kernel)
    with live_machine.boot(kernel, options.kvmscope, options.kvm_amd, options.memory,
                           options.boot_parameters, options.console) as live:
        with live.guests(*map(live_machine.guest_line, options.guest)):
            for line in options.line:
                answer = live.channel.run(line, options.seconds)
                sys.stdout.write(answer.output)
                sys.stdout.flush()
                sys.stderr.write(answer.errors)
                if answer.status != 0:
                    raise LabError(f"{answer.how_it_ended()}: {line}")


def clean(options):
    for name in ("dumps", "consoles", "guest") + (("kernels", "downloads", "live") if options.all else ()):
        remove(CACHE / name)


def make_parser():
    parser = argparse.ArgumentParser(
        prog="scripts/lab", description="Makes vmcores of real kernels with KVM guests, and runs "
                                           "kvmscope beside such guests.")
    verbs = parser.add_subparsers(metavar="VERB", required=True)

    def verb(name, action, purpose):
        added = verbs.add_parser(name, help=purpose, description=purpose)
        added.set_defaults(action=action)
        return added

    verb("list", list_all, "lists the scenarios and the formats")
    verb("kernels", show_kernels, "prints each series' release and folder of debug files")
    debug = verb("debug", show_debug, "prints a kernel's folder of debug files")
    debug.add_argument("kernel", help="a series or a release")
    path = verb("path", show_path, "prints where a dump is")
    for argument in ("scenario", "kernel", "format"):
        path.add_argument(argument)
    dump = verb("dump", make_dumps, "makes the dumps that are missing and prints where all are")
    dump.add_argument("scenario", nargs="+")
    dump.add_argument("--kernel", default="all", help="a series, a release or all (the default)")
    dump.add_argument("--format", default=DEFAULT_FORMATS,
                      help=f"names with commas between, or all (default {DEFAULT_FORMATS})")
    dump.add_argument("--jobs", type=int, default=2, help="machines that run at a time (default 2)")
    dump.add_argument("--json", action="store_true", help="print JSON")
    live = verb("live", run_live,
                "runs shell command lines in a machine, with kvmscope and guests that never rest")
    live.add_argument("line", nargs="+", help="a command line for the machine's shell, after --")
    live.add_argument("--kernel", default="6.1", help="a series or a release (default 6.1)")
    live.add_argument("--kvmscope", type=Path, default=ROOT / "build" / "kvmscope", metavar="FILE",
                      help="the program to put into the machine (default build/kvmscope)")
    live.add_argument("--guest", action="append", default=[], metavar="'NAME [rounds=N] [vcpus=N]'",
                      help="a guest to run beside: see tests/lab/live/guest/main.cpp; also shadow, tdp")
    live.add_argument("--kvm-amd", default="npt=0", metavar="PARAMETERS", help="default npt=0")
    live.add_argument("--memory", type=int, default=768, metavar="MIB", help="default 768")
    live.add_argument("--boot-parameters", default="", metavar="TEXT", help="for the kernel")
    live.add_argument("--seconds", type=float, default=600, help="for each line (default 600)")
    live.add_argument("--console", type=Path, metavar="FILE", help="keep what the kernel says")
    cleaner = verb("clean", clean, "removes the dumps")
    cleaner.add_argument("--all", action="store_true", help="the kernels, too")
    return parser


def main(words):
    options = make_parser().parse_args(words)
    try:
        options.action(options)
    except (LabError, OSError) as error:
        print(f"scripts/lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0
