#!/usr/bin/python3
"""The Debian package: built by cpack, put in place, run from there, and taken out again.

Usage: tests/package_test.py BUILD-FOLDER. As root it is installed by dpkg, unless the machine has a kvmscope of its own;
otherwise what it holds is tried in a temporary folder.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOLDS = """
    bin/kvmscope lib/systemd/system/kvmscope-snapshot.service lib/systemd/system/kvmscope-snapshot.timer
    libexec/kvmscope/kvmscope-snapshot share/bash-completion/completions/kvmscope
    share/doc/kvmscope/README.md share/doc/kvmscope/changelog.gz share/doc/kvmscope/copyright
    share/doc/kvmscope/examples/kvmscope.cron share/kvmscope/snapshot.schema.json share/man/man1/kvmscope.1.gz
    share/zsh/vendor-completions/_kvmscope""".split()
HOLDS += [f"share/kvmscope/examples/{path.name}" for path in (ROOT / "scripts/examples").glob("*.lua")]
# Drives completion as readline would: prints what Tab offers behind a line.
BASH_TAB = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
compopt() { echo "compopt $*"; }
_kvmscope kvmscope
printf '[%s]\\n' "${COMPREPLY[@]}"
"""
# The same for zsh, which completes on a terminal only: the line after Tab. $1 is the folder of _kvmscope, $2 the line.
ZSH_TAB = """
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1= ; fpath=(${(q)1} \\$fpath); autoload -Uz compinit; compinit -u -D"
zpty -w shell 'show() { zle -I; print -r -- "<$BUFFER>END"; }; zle -N show; bindkey "^O" show'
zpty -w shell 'bindkey "^I" complete-word; print REA""DY'
zpty -r -m shell line '*READY*'
zpty -w -n shell "kvmscope $2"$'\\t\\x0f'
zpty -r -m shell line '*>END*'
print -r -- "$line"
"""


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120, **options)
    if done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


class Package(unittest.TestCase):
    build = None

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        folder = Path(cls.temporary.name)
        run("cpack", "-G", "DEB", "-B", folder, cwd=cls.build)
        (cls.deb,) = folder.glob("kvmscope_*.deb")
        known = subprocess.run(["dpkg-query", "-s", "kvmscope"], capture_output=True, check=False).returncode == 0
        cls.installed = os.geteuid() == 0 and not known and shutil.which("kvmscope") is None
        if cls.installed:
            cls.addClassCleanup(run, "dpkg", "--purge", "kvmscope")
            run("dpkg", "-i", cls.deb)
            cls.usr = Path("/usr")
        else:
            run("dpkg-deb", "-x", cls.deb, folder / "root")
            cls.usr = folder / "root/usr"
        cls.environment = {**os.environ, "PATH": f"{cls.usr / 'bin'}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8",
                           "MANPAGER": "cat", "MANWIDTH": "100"}
        cls.page = cls.usr / "share/man/man1/kvmscope.1.gz"

    def out(self, *command):
        return run(*command, env=self.environment)

    def test_holds_everything_and_nothing_else(self):
        listed = run("dpkg-deb", "-c", self.deb)
        files = {line.split(" ./usr/")[1] for line in listed.splitlines() if not line.startswith("d")}
        self.assertEqual(files, set(HOLDS))
        for line in listed.splitlines():
            self.assertRegex(line, r"^\S+ root/root ")

    def test_declares_what_it_needs(self):
        depends = run("dpkg-deb", "-f", self.deb, "Depends")
        for library in ("libdw1", "libelf1", "libkdumpfile", "libreadline8", "libfmt9", "libzstd1", "liblua5.4-0", "libc6"):
            self.assertIn(library, depends)
        text = run("dpkg-deb", "-f", self.deb)
        for field in ("Section: utils", "Priority: optional", "Maintainer: ", "-dbg"):
            self.assertIn(field, text)

    def test_runs(self):
        self.assertRegex(self.out("kvmscope", "--version"), r"^kvmscope \d+\.\d+\.\d+\n")
        self.assertEqual(shutil.which("kvmscope", path=self.environment["PATH"]), str(self.usr / "bin/kvmscope"))

    def test_names_where_the_program_is(self):
        for name in ("lib/systemd/system/kvmscope-snapshot.service", "share/doc/kvmscope/examples/kvmscope.cron"):
            text = (self.usr / name).read_text()
            self.assertIn("/usr/libexec/kvmscope/kvmscope-snapshot", text)
            self.assertIn("/usr/bin", text)
            self.assertNotRegex(text, r"@\w+@")

    def test_manual_page_is_sound(self):
        page = self.out("man", "--warnings", "-l", self.page)
        errors = subprocess.run(["man", "--warnings", "-l", self.page], env=self.environment, capture_output=True,
                                text=True, check=True).stderr
        self.assertEqual(errors, "")
        headings = re.findall(r"(?m)^([A-Z][A-Z ]+)$", page)
        self.assertEqual(headings, ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "COMMANDS", "EXIT STATUS", "FILES",
                                    "ENVIRONMENT", "EXAMPLES", "SEE ALSO"])
        lint = subprocess.run(["mandoc", "-Tlint", "-Wwarning", self.page], capture_output=True, text=True, check=False)
        faults = [line for line in lint.stdout.splitlines() if "missing date" not in line]
        self.assertEqual(faults, [])

    def test_man_finds_the_page(self):
        if not self.installed:
            self.skipTest("not root: the package is not installed")
        self.assertIn("kvmscope - look inside KVM", self.out("man", "kvmscope"))

    def test_manual_page_tells_what_help_tells(self):
        page = " ".join(self.out("man", "-l", self.page).split()).replace("‐ ", "-")
        for command in ("roots", "pages", "snapshot", "layout", "run", "lua", "trace load"):
            for line in self.out("kvmscope", "help", *command.split()).splitlines():
                option = re.match(r"  (--[a-z-]+)( [A-Z]+)?  +", line)
                if option:
                    self.assertIn(f"{option[1]}{option[2] or ''} ", page)

    def test_manual_page_knows_every_variable(self):
        sources = "".join(path.read_text() for folder in ("commands", "core", "dwarf")
                          for path in (ROOT / folder).rglob("*.cpp"))
        page = self.out("man", "-l", self.page)
        for name in set(re.findall(r'(?:getenv|user_folder)\("(\w+)"\)', sources)):
            self.assertIn(name, page)

    def tab(self, *words):
        script = self.usr / "share/bash-completion/completions/kvmscope"
        return self.out("bash", "-c", BASH_TAB, "bash", script, "kvmscope", *words).splitlines()

    def test_bash_completes(self):
        self.assertEqual(self.tab("ro"), ["compopt -o nospace", "[roots ]"])
        self.assertEqual(self.tab("-c", "x", "roots", "--f"), ["compopt -o nospace", "[--format ]"])
        self.assertEqual(self.tab("roots", "--format", "=", "js"), ["compopt -o nospace", "[json ]", "[jsonl ]"])
        self.assertEqual(self.tab("set", "pager", "o")[1:], ["[off ]", "[on ]"])
        self.assertEqual(self.tab("trace", "lo")[1:], ["[load ]"])
        self.assertEqual(self.tab("roots", "-o", "name,gf")[1:], ["[name,gfn]"])
        for line in (["-c", ""], ["-s", "a"], ["snapshot", "-o", "x"]):
            self.assertEqual(self.tab(*line)[1], "compopt +o nospace -o default")
        self.assertEqual(self.tab("print", "vm"), ["compopt -o nospace", "[]"])

    def test_bash_knows_the_completion(self):
        script = self.usr / "share/bash-completion/completions/kvmscope"
        self.assertEqual(self.out("bash", "-c", f"source {script}; complete -p kvmscope"),
                         "complete -F _kvmscope kvmscope\n")

    def test_zsh_completes(self):
        folder = self.usr / "share/zsh/vendor-completions"
        self.out("zsh", "-n", folder / "_kvmscope")
        for typed, line in (("ro", "roots "), ("roots --format=jsonl", "roots --format=jsonl "),
                            ("set pager of", "set pager off "),
                            ("roots -o name,gf", "roots -o name,gfn"), ("trace lo", "trace load ")):
            self.assertEqual(self.zsh(folder, typed), f"kvmscope {line}")

    def zsh(self, folder, line):
        """What a real zsh, on a terminal of its own, makes of a line when Tab is hit."""
        return re.findall(r"<(kvmscope [^>]*)>", self.out("zsh", "-f", "-c", ZSH_TAB, "zsh", folder, line))[-1]


class Removal(unittest.TestCase):
    def test_leaves_nothing_behind(self):
        if not Package.installed:
            self.skipTest("not root: the package was not installed")
        self.assertEqual([name for name in HOLDS if (Path("/usr") / name).exists()], [])


if __name__ == "__main__":
    Package.build = sys.argv.pop(1)
    unittest.main(verbosity=2)
