"""The formats a dump can have, and how each is made."""

import struct
import subprocess
from dataclasses import dataclass

from store import LabError, need_program, new_file

ELF_HEADER_BYTES = 64
MANY_PROGRAM_HEADERS = 0xFFFF


@dataclass(frozen=True)
class Capture:
    """Taken by QEMU of the stopped machine: arguments of dump-guest-memory."""

    purpose: str
    arguments: dict


@dataclass(frozen=True)
class Conversion:
    """Made by makedumpfile of the capture `elf`, when asked for."""

    purpose: str
    options: tuple


FORMATS = {
    "elf": Capture("ELF as QEMU writes it", {"paging": False}),
    "paging": Capture("ELF with the kernel's virtual addresses", {"paging": True}),
    "flattened": Capture("QEMU's kdump-zlib, which is flattened",
                         {"paging": False, "format": "kdump-zlib"}),
    "kdump-zlib": Conversion("all pages", ("-c", "-d", "0")),
    "kdump-zlib-d17": Conversion("without zero and free pages", ("-c", "-d", "17")),
    "kdump-zlib-d31": Conversion("only the kernel's pages", ("-c", "-d", "31")),
    "kdump-lzo": Conversion("all pages", ("-l", "-d", "0")),
    "kdump-lzo-d17": Conversion("without zero and free pages", ("-l", "-d", "17")),
    "kdump-lzo-d31": Conversion("only the kernel's pages", ("-l", "-d", "31")),
    "kdump-uncompressed": Conversion("all pages", ("-d", "0")),
    "elf-d17": Conversion("ELF without zero and free pages", ("-E", "-d", "17")),
    "elf-d31": Conversion("ELF with only the kernel's pages", ("-E", "-d", "31")),
}


def convert(elf, wanted):
    """Makes files of QEMU's ELF dump: `wanted` maps names of conversions to their files."""
    program = need_program("makedumpfile")
    moved = elf.with_name("makedumpfile-input")
    with new_file(moved) as copy:
        subprocess.run(["cp", "--sparse=auto", "--no-preserve=mode", elf, copy], check=True)
        move_program_headers(copy)
    try:
        for name, file in wanted.items():
            with new_file(file) as new:
                options = ["--message-level", "1", *FORMATS[name].options]
                run_makedumpfile([program, *options, moved, new])
                new.chmod(0o444)
    finally:
        moved.unlink()


def run_makedumpfile(command):
    result = subprocess.run(command, text=True, capture_output=True, check=False)
    if result.returncode != 0:
        words = " ".join(str(word) for word in command)
        raise LabError(f"{words} failed\n{result.stdout}{result.stderr}")


def move_program_headers(file):
    """makedumpfile expects program headers right after the ELF header; QEMU has sections there."""
    with open(file, "r+b") as elf:
        header = bytearray(elf.read(ELF_HEADER_BYTES))
        (offset,) = struct.unpack_from("<Q", header, 32)
        size, count = struct.unpack_from("<2H", header, 54)
        if count == MANY_PROGRAM_HEADERS:
            raise LabError(f"{file} has too many program headers")
        elf.seek(offset)
        table = elf.read(size * count)
        data = min(struct.unpack_from("<Q", table, i * size + 8)[0] for i in range(count))
        if ELF_HEADER_BYTES + len(table) > data:
            raise LabError(f"{file} has no room for its program headers at the front")
        struct.pack_into("<2Q", header, 32, ELF_HEADER_BYTES, 0)
        struct.pack_into("<3H", header, 58, ELF_HEADER_BYTES, 0, 0)
        elf.seek(0)
        elf.write(header + table)
