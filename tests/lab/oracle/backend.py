"""What the oracle needs of a dump and its debug info; drgn_backend and own_backend are the two implementations."""

from dataclasses import dataclass
from typing import Protocol


class Fault(Exception):
    """Memory that is not in the dump, or a name that the debug info does not have."""


@dataclass(frozen=True)
class Field:
    """Where a member lies in its struct. `bit_size` 0 means that it is no bit field."""

    offset: int
    size: int
    bit_offset: int = 0
    bit_size: int = 0


class Backend(Protocol):
    """All addresses are numbers; a path is "struct.member.member", its first word the name of a struct or union."""

    release: str

    def read(self, address: int, size: int) -> bytes:
        """Bytes at a kernel virtual address."""

    def read_physical(self, address: int, size: int) -> bytes:
        """Bytes at a physical address."""

    def symbol(self, name: str) -> int | None:
        """The address of a variable of kvm.ko or vmlinux, None if there is none of that name."""

    def field(self, path: str) -> Field | None:
        """None if there is no such member."""

    def size_of(self, name: str) -> int:
        """Bytes of a struct or union."""
