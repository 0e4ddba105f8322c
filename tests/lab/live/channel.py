"""The control port of a live machine: runs shell command lines there, several at a time.

See agent.cpp for the frames.
"""

import os
import re
import signal
import struct
import threading
import time
from dataclasses import dataclass, field

from store import LabError

HEADER = struct.Struct("<IIc")
SECONDS = 120


@dataclass(frozen=True)
class Answer:
    """How a command ended: its exit status, or the negative number of the signal it died of."""

    status: int
    output: str
    errors: str

    def how_it_ended(self):
        return f"status {self.status}" if self.status >= 0 else f"it died of {signal.Signals(-self.status).name}"


@dataclass
class Command:
    """A command line that was started; its texts grow until it has ended."""

    channel: "Channel"
    number: int
    line: str
    status: int | None = None
    written: dict = field(default_factory=lambda: {b"o": bytearray(), b"e": bytearray()})

    @property
    def output(self):
        return self.written[b"o"].decode(errors="replace")

    @property
    def errors(self):
        return self.written[b"e"].decode(errors="replace")

    @property
    def ended(self):
        return self.status is not None

    def wait(self, seconds=SECONDS):
        """Its Answer; kills it and raises LabError if it takes longer."""
        if not self.channel.wait_until(lambda: self.ended, seconds):
            self.signal(signal.SIGKILL)
            raise LabError(f"this did not end within {seconds} seconds: {self.line}\n{self.output[-2000:]}"
                           f"{self.errors[-2000:]}")
        return Answer(os.waitstatus_to_exitcode(self.status), self.output, self.errors)

    def wait_for(self, pattern, seconds=SECONDS):
        """Waits until its output matches; raises LabError if it ends before or takes longer."""
        def found():
            return re.search(pattern, self.output, re.MULTILINE)
        self.channel.wait_until(lambda: found() or self.ended, seconds)
        match = found()
        if not match:
            how = "ended" if self.ended else f"took longer than {seconds} seconds"
            raise LabError(f"this {how} without '{pattern}': {self.line}\n{self.output[-2000:]}{self.errors[-2000:]}")
        return match

    def read_until(self, mark, seconds=SECONDS):
        """What it wrote before the next `mark`, which is taken away with it."""
        text, wanted = self.written[b"o"], mark.encode()
        self.channel.wait_until(lambda: wanted in text or self.ended, seconds)
        before, found, _ = text.partition(wanted)
        if not found:
            how = f"took longer than {seconds} s"
            if self.ended:
                how = f"ended with {os.waitstatus_to_exitcode(self.status)}"
            raise LabError(f"this {how} before '{mark}': {self.line}\n{self.output[-2000:]}{self.errors[-2000:]}")
        del text[:len(before) + len(wanted)]
        return before.decode(errors="replace")

    def signal(self, number):
        """To the process itself: begin the command line with `exec` where that is to be a program."""
        self.channel.send(self.number, b"s", str(int(number)).encode())

    def write(self, text):
        """To its standard input."""
        self.channel.send(self.number, b"i", text.encode())

    def end_input(self):
        self.channel.send(self.number, b"i", b"")


class Channel:
    """`check` is called while something is waited for, and raises LabError if the machine is broken."""

    def __init__(self, socket, check):
        self._socket = socket
        self._check = check
        self._commands = {}
        self._numbers = 0
        self._lock = threading.Condition()
        self._greeted = False
        self._closed = False
        threading.Thread(target=self._receive, daemon=True).start()

    def wait_for_hello(self, seconds):
        if not self.wait_until(lambda: self._greeted, seconds):
            raise LabError(f"the machine did not greet within {seconds} seconds")

    def start(self, line, has_input=False):
        with self._lock:
            self._numbers += 1
            command = Command(self, self._numbers, line)
            self._commands[command.number] = command
        self.send(command.number, b"c" if has_input else b"r", line.encode())
        return command

    def run(self, line, seconds=SECONDS, text=None):
        """The Answer to a command line that gets `text` as its standard input."""
        command = self.start(line, has_input=text is not None)
        if text is not None:
            command.write(text)
            command.end_input()
        return command.wait(seconds)

    def must(self, line, seconds=SECONDS):
        """The output of a command line that has to succeed."""
        answer = self.run(line, seconds)
        if answer.status != 0:
            raise LabError(f"{answer.how_it_ended()}: {line}\n{answer.output[-2000:]}{answer.errors[-2000:]}")
        return answer.output

    def send(self, number, kind, payload):
        self._socket.sendall(HEADER.pack(len(payload), number, kind) + payload)

    def wait_until(self, condition, seconds):
        """Whether the condition became true in time."""
        end = time.monotonic() + seconds
        with self._lock:
            while not condition():
                if self._closed:
                    self._check()
                    raise LabError("the machine is gone")
                left = end - time.monotonic()
                if left <= 0:
                    return False
                if not self._lock.wait(min(left, 1)):
                    self._check()
            return True

    def _receive(self):
        try:
            with self._socket.makefile("rb") as stream:
                while header := stream.read(HEADER.size):
                    length, number, kind = HEADER.unpack(header)
                    self._take(number, kind, stream.read(length))
        except (OSError, struct.error):
            pass
        with self._lock:
            self._closed = True
            self._lock.notify_all()

    def _take(self, number, kind, payload):
        with self._lock:
            command = self._commands.get(number)
            if kind == b"h":
                self._greeted = True
            elif kind == b"x":
                command.status = struct.unpack("<i", payload)[0]
                del self._commands[number]
            elif command:
                command.written[kind] += payload
            self._lock.notify_all()
