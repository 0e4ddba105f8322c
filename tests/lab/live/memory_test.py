"""Memory that is added while kvmscope runs: /proc/kcore shows it to those who open it later."""

import json

MIB = 128
ADDED_AT = 4 << 30  # physical
DONE = '"value": "1000000000"'


def run(bench):
    channel = bench.machine.channel
    session = channel.start("exec kvmscope -f jsonl", has_input=True)
    session.write("print page_offset_base\nprint 1000000000\n")
    base = json.loads(session.read_until(DONE).splitlines()[0])["value"]
    address = f"{int(base, 0) + ADDED_AT:#x}"
    bench.machine.plug_memory(MIB)
    session.write(f"read {address} 8\n")
    session.end_input()
    answer = session.wait()
    problems = [] if answer.status == 4 and "since start (run kvmscope again)" in answer.errors + answer.output else [
        f"{answer.how_it_ended()}: {answer.errors}{answer.output[-300:]}"]
    bench.check("added memory", problems, f"read {address} by a process that was there before")
    answer = bench.run(f"exec kvmscope -f jsonl read {address} 8")
    bench.check("added memory", [] if answer.status == 0 else [f"{answer.how_it_ended()}: {answer.errors}"],
                "and by one that came after")
