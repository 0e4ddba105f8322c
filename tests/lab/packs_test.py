#!/usr/bin/python3
"""Compares what kvmscope says with a layout pack, and from its cache, with what it says with debug files."""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import lab_dumps, product  # pylint: disable=wrong-import-position
from lab.checks import Checks, run_alone  # pylint: disable=wrong-import-position

SCENARIOS = ("shadow", "tdp", "la57")
KERNELS = ("6.1", "6.12")
COMMANDS = ("vms", "vcpus", "roots", "pages", "pages --tdp", "slots", "levels", "unsync", "layout", "counts", "rmap 0",
            "parents 0.0", "translate 0 0x10008", "spte 0xaa1aa25")
LARGEST = 64 << 10
SECONDS = 120

# A pack does not know these; the kernel's own BTF does.
NEED_ALL_TYPES = ("print ((struct kvm *)0)->mm", "type struct kvm_vcpu", "print (struct task_struct *)0", "stats")


class PackTest:
    """One dump, with a cache of its own."""

    def __init__(self, program: Path, scenario: str, series: str, folder: Path, checks: Checks):
        self.program, self.folder, self.checks = program, folder, checks
        (self.dump,) = lab_dumps.get(scenario, series, "elf")
        self.title = f"{scenario} {series}"
        self.cache = folder / "cache"
        self.pack = folder / "packs" / "this.pack"
        self.pack.parent.mkdir()

    def answer(self, command: str, *options: object) -> product.Answer:
        return product.run(self.program, ["-c", self.dump.path, "-f", "json", *options, *command.split()],
                           SECONDS, {"XDG_CACHE_HOME": str(self.cache)})

    def run(self) -> None:
        debug = ("--no-cache", "-s", self.dump.debug)
        self.save(*debug)
        expected = {command: self.answer(command, *debug) for command in COMMANDS}
        problems = [f"{command}: {answer.how_it_ended()}" for command, answer in expected.items() if answer.status != 0]
        self.checks.check(f"{self.title} with debug files", problems)
        self.same("from a pack", expected, "--no-cache", "-s", self.pack)
        self.same("from a folder of packs", expected, "--no-cache", "-s", self.pack.parent)
        self.limits()
        self.cached(expected)

    def save(self, *debug: object) -> None:
        answer = self.answer(f"layout --save {self.pack}", *debug)
        problems = [] if answer.status == 0 else [answer.how_it_ended(), answer.errors]
        size = self.pack.stat().st_size if self.pack.exists() else 0
        if not 0 < size <= LARGEST:
            problems.append(f"{size} bytes")
        self.checks.check(f"{self.title} layout --save", problems, f"{size} bytes")

    def same(self, name: str, expected: dict[str, product.Answer], *options: object) -> None:
        problems = [f"{command}: {found.how_it_ended()}, {len(found.output)} bytes of output, not "
                    f"{len(answer.output)}: {found.errors[:200]}"
                    for command, answer in expected.items()
                    if (found := self.answer(command, *options)) != answer]
        count = sum(len(answer.output) for answer in expected.values())
        self.checks.check(f"{self.title} {name}", problems, f"{len(expected)} commands, {count} bytes")

    def limits(self) -> None:
        for command in NEED_ALL_TYPES:
            expected = self.answer(command, "--no-cache", "-s", self.dump.debug)
            found = self.answer(command, "--no-cache", "-s", self.pack)
            problems = [] if len(expected.output) > 2 else [expected.how_it_ended(), expected.errors]
            problems += [] if found == expected else [found.how_it_ended(), found.errors]
            self.checks.check(f"{self.title} more than a pack has", problems, command)

    def cached(self, expected: dict[str, product.Answer]) -> None:
        """The first run has debug files; the next ones find nothing but what it left."""
        self.same("with a cold cache", {"roots": expected["roots"]}, "-s", self.dump.debug)
        files = [file for file in self.cache.rglob("*") if file.is_file()]
        problems = [f"{file} has mode {file.stat().st_mode & 0o7777:o}" for file in files
                    if file.stat().st_mode & 0o7777 != 0o600]
        problems += [f"there are {len(files)} files"] * (len(files) != 1)
        self.checks.check(f"{self.title} leaves one file in the cache", problems)
        self.same("from the cache", expected)
        self.checks.check(f"{self.title} --no-cache", self.unused("--no-cache"))
        for file in files:
            self.unusable(file, expected)

    def unused(self, *options: object) -> list[str]:
        """Without debug files either BTF is what is left."""
        info = self.answer("info", *options)
        return [] if "from the kernel's own BTF" in info.output else [info.how_it_ended(), info.output]

    def unusable(self, file: Path, expected: dict[str, product.Answer]) -> None:
        """A cache that is damaged or that others may write counts for nothing, and is made anew."""
        good = file.read_bytes()
        for name, text, mode in (("damaged", good[:-100], 0o600), ("empty", b"", 0o600), ("open to all", good, 0o666)):
            file.write_bytes(text)
            file.chmod(mode)
            self.checks.check(f"{self.title} with a cache that is {name}", self.unused())
            self.same(f"again, after a cache that was {name}", {"roots": expected["roots"]}, "-s", self.dump.debug)
            again = file.read_bytes() == good and file.stat().st_mode & 0o7777 == 0o600
            self.checks.check(f"{self.title} makes the cache anew", [] if again else ["the file is not as it was"])


def run_all(program: Path, checks: Checks) -> None:
    for scenario in SCENARIOS:
        for series in KERNELS:
            with tempfile.TemporaryDirectory(prefix="kvmscope-packs-") as folder:
                PackTest(program, scenario, series, Path(folder), checks).run()


if __name__ == "__main__":
    sys.exit(run_alone(run_all, __doc__))
