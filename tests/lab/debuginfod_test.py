#!/usr/bin/python3
"""Debug files from a debuginfod server on the loopback device: fetched by build-id, and only with --debuginfod."""

import json
import shutil
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import faults, lab_dumps, product  # pylint: disable=wrong-import-position
from lab.checks import Checks, run_alone  # pylint: disable=wrong-import-position
from lab.compare_test import differences  # pylint: disable=wrong-import-position
from lab.lab_dumps import LabDump  # pylint: disable=wrong-import-position
from lab.oracle.commands import COMMANDS, open_kernel  # pylint: disable=wrong-import-position
from lab.oracle.debug_files import find  # pylint: disable=wrong-import-position

NOT_FOUND = 3  # the exit status


def build_id(path: Path) -> str:
    notes = subprocess.run(["readelf", "-n", path], check=True, capture_output=True, text=True).stdout
    return notes.split("Build ID: ")[1].split()[0]


class Server(ThreadingHTTPServer):
    """Answers GET /buildid/ID/debuginfo, as debuginfod does; `asked` are the paths that clients wanted."""

    def __init__(self, files: dict[str, Path]):
        super().__init__(("127.0.0.1", 0), Answers)
        self.files = {f"/buildid/{name}/debuginfo": path for name, path in files.items()}
        self.asked: list[str] = []

    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answers(BaseHTTPRequestHandler):
    """One request."""

    def do_GET(self) -> None:  # pylint: disable=invalid-name
        self.server.asked.append(self.path)
        path = self.server.files.get(self.path)
        if path is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(path.stat().st_size))
        self.end_headers()
        with open(path, "rb") as file:
            shutil.copyfileobj(file, self.wfile)

    def log_message(self, *_) -> None:  # pylint: disable=arguments-differ
        """Nothing: the test says what matters."""


@contextmanager
def served(files: dict[str, Path]):
    """(the server, the environment of a client that knows it and has fetched nothing yet)"""
    with Server(files) as server, tempfile.TemporaryDirectory(prefix="kvmscope-debuginfod-") as cache:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server, {"DEBUGINFOD_URLS": server.url(), "DEBUGINFOD_CACHE_PATH": cache}
        finally:
            server.shutdown()
            thread.join()


class DebuginfodTest:
    """The checks on one dump, of whose kernel no debug file is at hand."""

    def __init__(self, program: Path, dump: LabDump, checks: Checks):
        self.program = program
        self.dump = dump
        self.checks = checks
        files = find(dump.debug, dump.release)
        self.vmlinux, self.kvm = build_id(files.vmlinux), build_id(files.kvm)
        self.files = {self.vmlinux: files.vmlinux, self.kvm: files.kvm}
        self.no_btf = faults.overlay(open_kernel("own", dump.path, dump.debug), "btf-of-vmlinux")

    def run(self) -> None:
        for test in (self.fetches_what_is_missing, self.leaves_vmlinux_where_there_is_btf, self.is_silent_unless_asked,
                     self.says_what_a_server_lacks, self.refuses_another_build):
            self.checks.check("debuginfod", test(), test.__name__.replace("_", " "))

    def answer(self, environment: dict[str, str], *options: str, has_btf: bool = False) -> product.Answer:
        with tempfile.TemporaryDirectory() as folder:
            empty, overlay = Path(folder, "empty"), Path(folder, "overlay")
            empty.mkdir()
            overlay.write_text("" if has_btf else self.no_btf)
            return product.run(self.program, ["-c", self.dump.path, "--no-cache", "-s", empty, "--overlay", overlay,
                                              "-f", "json", *options, "roots"], environment=environment)

    def fetches_what_is_missing(self) -> list[str]:
        """vmlinux's build-id is in VMCOREINFO; its types lead to kvm's. What was fetched is not asked for again."""
        return self.fetches(self.vmlinux, self.kvm)

    def leaves_vmlinux_where_there_is_btf(self) -> list[str]:
        """BTF leads to kvm's modules, so that nothing of half a gigabyte is needed for that."""
        return self.fetches(self.kvm, has_btf=True)

    def fetches(self, *wanted_ids: str, has_btf: bool = False) -> list[str]:
        expected = COMMANDS["roots"](open_kernel("own", self.dump.path, self.dump.debug))
        problems = []
        with served(self.files) as (server, environment):
            for _ in range(2):
                answer = self.answer(environment, "--debuginfod", has_btf=has_btf)
                if answer.status != 0:
                    return [answer.how_it_ended(), answer.errors]
                problems += differences(expected, json.loads(answer.output))
            wanted = [f"/buildid/{name}/debuginfo" for name in wanted_ids]
            if [path for path in server.asked if path in server.files] != wanted:
                problems.append(f"asked for {server.asked}, not {wanted}")
        return problems

    def is_silent_unless_asked(self) -> list[str]:
        with served(self.files) as (server, environment):
            return judge(self.answer(environment), "--debuginfod") + server.asked

    def says_what_a_server_lacks(self) -> list[str]:
        with served({self.vmlinux: self.files[self.vmlinux]}) as (server, environment):
            return judge(self.answer(environment, "--debuginfod"),
                         f"no server of {server.url()} has build-id {self.kvm}")

    def refuses_another_build(self) -> list[str]:
        files = self.files | {self.kvm: find(self.dump.debug, self.dump.release).kvm_amd}
        with served(files) as (_, environment):
            return judge(self.answer(environment, "--debuginfod"), f"not {self.kvm}")


def judge(answer: product.Answer, words: str) -> list[str]:
    problems = [] if answer.status == NOT_FOUND else [f"{answer.how_it_ended()}, not {NOT_FOUND}"]
    return problems + ([] if words in answer.errors else [f"it does not say '{words}' but {answer.errors}"])


def run(program: Path, checks: Checks, series: str = "6.1") -> None:
    (dump,) = lab_dumps.get("shadow", series, "elf")
    DebuginfodTest(program, dump, checks).run()


if __name__ == "__main__":
    sys.exit(run_alone(run, __doc__))
