"""The records of `unsync`: mmu_unsync_walk and for_each_sp of arch/x86/kvm/mmu/mmu.c, replayed on copies."""

from dataclasses import dataclass, field as dataclass_field

from lab.oracle.kernel import Kernel
from lab.oracle.roots import Slot, distinct_roots
from lab.oracle.shadow_pages import FRAME, field, is_leaf, is_present, page_of_table, role, unsync_children

ARRAY_SIZE = 16  # KVM_PAGE_ARRAY_NR
PATH_SIZE = 5  # PT64_ROOT_MAX_LEVEL
INVALID_INDEX = -1
FULL = -28  # -ENOSPC
BATCHES_MAX = 100_000


@dataclass
class Copy:
    """What the replay changes of a shadow page."""

    address: int
    level: int
    gfn: int
    unsync: bool
    unsync_children: int
    bitmap: int
    entries: list[int] = dataclass_field(repr=False)


@dataclass
class Path:
    """struct mmu_page_path: parent[k] is the page at level k + 2, idx[k] the entry taken inside it."""

    parent: list[Copy | None] = dataclass_field(default_factory=lambda: [None] * PATH_SIZE)
    idx: list[int | None] = dataclass_field(default_factory=lambda: [None] * PATH_SIZE)


class Replay:
    """The pages below one root, copied when they are first looked at."""

    def __init__(self, kernel: Kernel):
        self.kernel = kernel
        self.copies: dict[int, Copy] = {}
        self.cleared = 0

    def copy(self, page: int) -> Copy:
        if page not in self.copies:
            bitmap = self.kernel.find("kvm_mmu_page.unsync_child_bitmap")
            bits = self.kernel.backend.read(page + bitmap.offset, bitmap.size)
            self.copies[page] = Copy(
                page, role(self.kernel, page, "level"), field(self.kernel, page, "gfn"),
                bool(field(self.kernel, page, "unsync")), field(self.kernel, page, "unsync_children"),
                int.from_bytes(bits, "little"), self.kernel.table(field(self.kernel, page, "spt")))
        return self.copies[page]

    def clear(self, parent: Copy, index: int) -> None:
        """clear_unsync_child_bit"""
        parent.unsync_children -= 1
        parent.bitmap &= ~(1 << index)
        self.cleared += 1

    def batch(self, root: Copy) -> list[tuple[Copy, int]]:
        """mmu_unsync_walk: the pages it collects with their index in their parent."""
        pages: list[tuple[Copy, int]] = []
        if root.unsync_children:
            add(pages, root, INVALID_INDEX)
            self.walk(root, pages)
        return pages

    def walk(self, parent: Copy, pages: list) -> int:
        """__mmu_unsync_walk: how many unsync leaves it has met, or FULL."""
        leaves = 0
        for index in range(512):
            if not parent.bitmap >> index & 1:
                continue
            entry = parent.entries[index]
            if not is_present(entry) or is_leaf(entry, parent.level):
                self.clear(parent, index)
                continue
            child = self.copy(page_of_table(self.kernel, entry & FRAME))
            if child.unsync_children:
                if add(pages, child, index):
                    return FULL
                below = self.walk(child, pages)
                if below < 0:
                    return below
                if below == 0:
                    self.clear(parent, index)
                leaves += below
            elif child.unsync:
                leaves += 1
                if add(pages, child, index):
                    return FULL
            else:
                self.clear(parent, index)
        return leaves

    def clear_parents(self, path: Path) -> None:
        """mmu_pages_clear_parents"""
        for parent, index in zip(path.parent, path.idx):
            if parent is None:
                return
            self.clear(parent, index)
            if parent.unsync_children:
                return


def add(pages: list, page: Copy, index: int) -> bool:
    """mmu_pages_add: says whether the array is full now. A leaf is taken once."""
    if page.unsync and any(other is page for other, _ in pages):
        return False
    pages.append((page, index))
    return len(pages) == ARRAY_SIZE


def steps(pages: list[tuple[Copy, int]]):
    """for_each_sp: the number of each leaf in the array and the path to it. The path is changed in place."""
    path = Path()
    root = pages[0][0]
    path.parent[root.level - 2] = root
    path.parent[root.level - 1] = None
    for at, (page, index) in enumerate(pages[1:], 1):
        path.idx[page.level - 1] = index
        if page.level == 1:
            yield at, page, path
        else:
            path.parent[page.level - 2] = page


def unsync_records(kernel: Kernel) -> list[dict]:
    return [record for slot in distinct_roots(kernel) if has_unsync_children(kernel, slot)
            for record in root_batches(kernel, slot)]


def has_unsync_children(kernel: Kernel, slot: Slot) -> bool:
    return slot.page is not None and unsync_children(kernel, slot.page) != 0


def root_batches(kernel: Kernel, slot: Slot):
    replay = Replay(kernel)
    root = replay.copy(slot.page)
    for number in range(BATCHES_MAX):
        replay.cleared = 0
        pages = replay.batch(root)
        if not pages:
            return
        taken = []
        for at, page, path in steps(pages):
            taken.append(step_record(at, page, path))
            page.unsync = False
            replay.clear_parents(path)
        yield {"vm": slot.vm, "root_sp": hex(slot.page), "name": slot.name, "batch": number,
               "pages": [page_entry(page, index) for page, index in pages], "steps": taken}
        if not taken and not replay.cleared:
            return
    raise AssertionError(f"the replay of {slot.name} does not end")


def page_entry(page: Copy, index: int) -> dict:
    return {"sp": hex(page.address), "level": page.level, "gfn": hex(page.gfn), "idx": index}


def step_record(at: int, page: Copy, path: Path) -> dict:
    parents = path.parent[:path.parent.index(None)]
    return {"at": at, "sp": hex(page.address),
            "parents": [page_entry(parent, path.idx[k]) for k, parent in enumerate(parents)]}
