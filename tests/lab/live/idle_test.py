"""A machine whose guests rest: each record must equal the same command's on a dump of that machine at that moment."""

from inside import IDLE
from lab import floors

MODES = {"shadow": "npt=0", "tdp": "npt=1"}


def run(bench):
    for guests, parameters in MODES.items():
        bench.machine.load_kvm(parameters)
        with bench.machine.guests(f"guest_runner {guests}"):
            live = bench.records(IDLE)
            with bench.machine.stopped_dump() as dump:
                bench.equals_dump(f"idle {guests}", live, dump)
        check_floors(bench, guests, live)


def check_floors(bench, guests, live):
    """An empty answer must not pass."""
    found = {command: records for command, (records, _) in live.items()}
    bench.check(f"idle {guests}", [f"{command} has no records" for command in IDLE
                                   if not found[command] and not (guests == "tdp" and command == "unsync")],
                "no empty answers")
    found["pages"] = found["pages --tdp"]
    for name, problems in floors.below_floor(guests, found):
        bench.check(f"idle {guests} floor", problems, name)
