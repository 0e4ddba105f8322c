"""Makes the layout packs of bad_input/packs.toml: of another build, damaged, and with numbers that make no sense."""

import json
from collections.abc import Callable
from pathlib import Path

from lab import product
from lab.lab_dumps import LabDump
from lab.oracle.debug_files import find

MASK = (1 << 64) - 1


def saved(program: Path, dump: LabDump, path: Path) -> bytes:
    answer = product.run(program, ["-c", dump.path, "-s", dump.debug, "layout", "--save", path])
    if answer.status != 0:
        raise RuntimeError(f"no layout pack: {answer.how_it_ended()} {answer.errors}")
    return path.read_bytes()


def checksum(body: bytes) -> int:
    """FNV-1a, 64 bits."""
    value = 0xcbf29ce484222325
    for byte in body:
        value = (value ^ byte) * 0x100000001b3 & MASK
    return value


def edited(text: bytes, change: Callable[[dict], None]) -> bytes:
    """With a first line that fits what `change` made of the rest."""
    document = json.loads(text.split(b"\n", 1)[1])
    change(document)
    body = json.dumps(document).encode()
    return b"kvmscope-layout/1 %016x %d\n" % (checksum(body), len(body)) + body


def field(document: dict, structure: str, spelling: str) -> dict:
    (fields,) = (item["fields"] for item in document["structures"] if item["name"] == structure)
    (found,) = (item for item in fields if item["spelling"] == spelling)
    return found


def offset(structure: str, spelling: str, value: int) -> Callable[[dict], None]:
    return lambda document: field(document, structure, spelling).update(offset=value)


def wrong_inside(document: dict) -> None:
    """Every field of a structure lies inside it, but none where it should."""
    for structure in document["structures"]:
        for item in structure["fields"]:
            item["offset"] = structure["size"] - item["size"] - item["offset"] % 8


def other_modules(document: dict) -> None:
    """As of another build of kvm.ko for the same kernel."""
    document["build_ids"]["kvm"] = document["build_ids"]["kvm"][::-1]


# A good pack's bytes -> others, by recipe.
TEXTS = {
    "pack": lambda text: text,
    "pack-cut": lambda text: text[:len(text) // 2],
    "pack-empty": lambda _: b"",
    "pack-text": lambda _: b"This is no layout pack.\n" * 100,
    "pack-changed-byte": lambda text: text.replace(b'"offset": 8', b'"offset": 9', 1),
    "pack-other-version": lambda text: text.replace(b"kvmscope-layout/1", b"kvmscope-layout/9", 1),
    "pack-other-fields": lambda text: edited(text, lambda document: document.update(fields_version="0" * 16)),
    "pack-other-module": lambda text: edited(text, other_modules),
    "pack-wild-offset": lambda text: edited(text, offset("struct kvm", "mm", 1 << 62)),
    "pack-negative-offset": lambda text: edited(text, offset("struct kvm", "mm", -8)),
    "pack-wild-size": lambda text: edited(
        text, lambda document: field(document, "struct kvm_mmu_page", "spt").update(size=MASK)),
    "pack-wild-count": lambda text: edited(
        text, lambda document: field(document, "struct kvm_mmu", "prev_roots").update(count=1 << 60)),
    "pack-wrong-inside": lambda text: edited(text, wrong_inside),
    "pack-list": lambda text: edited(text, lambda document: document.update(structures={})),
    "pack-no-json": lambda text: text[:text.index(b"\n") + 1].replace(b"\n", b"") + b"\nnothing",
}
# Of another kernel, alone or in a folder; with a good one in one folder; beside debug files of the user's.
MIXED = ("pack-other-build", "pack-folder-other-build", "pack-among-bad-ones", "pack-cut-and-debug-files")
RECIPES = (*TEXTS, *MIXED)


def make(recipe: str, program: Path, dumps: tuple[LabDump, LabDump], folder: Path) -> list[Path]:
    """The -s arguments; the second dump is of another kernel."""
    dump, other = dumps
    packs = folder / "packs"
    packs.mkdir()
    path = packs / "this.pack"
    if recipe in TEXTS:
        path.write_bytes(TEXTS[recipe](saved(program, dump, path)))
        return [path]
    if recipe in ("pack-other-build", "pack-folder-other-build"):
        saved(program, other, path)
        return [path if recipe == "pack-other-build" else packs]
    good = saved(program, dump, path)
    (packs / "a.pack").write_bytes(good[:100])
    if recipe == "pack-cut-and-debug-files":
        return [packs / "a.pack", find(dump.debug, dump.release).kvm]
    saved(program, other, packs / "b.pack")
    return [packs]
