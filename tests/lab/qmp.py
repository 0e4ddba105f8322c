"""Speaks QEMU's machine protocol over a connected socket."""

import json

from store import LabError


class Qmp:
    def __init__(self, socket):
        self._stream = socket.makefile("rw", encoding="utf-8")
        self._receive()  # the greeting
        self.call("qmp_capabilities")

    def call(self, command, **arguments):
        """The answer to a command; events that come before it are passed over."""
        try:
            self._stream.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
            self._stream.flush()
            answer = self._answer()
        except OSError as error:
            raise LabError(f"QEMU does not answer {command}: {error}") from None
        if "error" in answer:
            raise LabError(f"QEMU refuses {command}: {answer['error']['desc']}")
        return answer["return"]

    def _answer(self):
        while True:
            answer = self._receive()
            if "event" not in answer:
                return answer

    def _receive(self):
        line = self._stream.readline()
        if not line:
            raise LabError("QEMU closed its socket")
        return json.loads(line)
