"""Without any debug files each record of a resting machine must equal that of a dump read with them."""

from idle_test import MODES
from inside import IDLE
from packs_test import no_debug_files


def run(bench):
    for guests, parameters in MODES.items():
        bench.machine.load_kvm(parameters)
        with bench.machine.guests(f"guest_runner {guests}"):
            with no_debug_files(bench.machine.channel):
                live = bench.records(IDLE, "--no-cache")
                info = bench.run("kvmscope --no-cache info")
            with bench.machine.stopped_dump() as dump:
                bench.equals_dump(f"BTF {guests}", live, dump)
        problems = [] if "from the kernel's own BTF" in info.output else [info.output, info.errors]
        bench.check(f"BTF {guests}", problems, "info says so")
    bench.machine.load_kvm("npt=0")
