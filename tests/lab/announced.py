"""What the guest runner said on the console: facts, one a line, as `KIND name=value …`."""

from pathlib import Path


def facts(console: Path, kind: str) -> list[dict[str, str]]:
    """The lines of one kind, in order; each with its names and values."""
    lines = console.read_text(encoding="utf-8", errors="replace").splitlines()
    return [dict(word.split("=", 1) for word in line.split()[1:] if "=" in word)
            for line in lines if line.startswith(kind + " ")]


def numbers_of_vms(console: Path) -> dict[str, int]:
    """By name; the lab's VMs are made one after the other, so the order of the lines is KVM's."""
    return {fact["name"]: number for number, fact in enumerate(facts(console, "vm"))}
