"""Shadow pages: their fields, their parents, the SPTEs of their tables; the records of `pages`."""

from lab.oracle.kernel import Kernel
from lab.oracle.machines import vm_addresses

MMU_PRESENT = 1 << 11
HUGE = 1 << 7
FRAME = 0x000FFFFFFFFFF000
DESCRIPTORS_MAX = 1_000_000


def field(kernel: Kernel, page: int, name: str) -> int:
    return kernel.get(page, f"kvm_mmu_page.{name}")


def role(kernel: Kernel, page: int, name: str) -> int:
    return kernel.get(page, f"kvm_mmu_page.role.{name}")


def is_present(spte: int) -> bool:
    return bool(spte & MMU_PRESENT)


def is_leaf(spte: int, level: int) -> bool:
    return level == 1 or bool(spte & HUGE)


def page_of_table(kernel: Kernel, physical: int) -> int | None:
    """The kvm_mmu_page of a page table, None for a table that has none (a PAE table for instance)."""
    page = kernel.page_private(physical)
    if not page:
        return None
    assert field(kernel, page, "spt") == kernel.direct(physical), f"{physical:#x} is no table of {page:#x}"
    return page


def access_text(kernel: Kernel, page: int) -> str:
    """In the order of the tracepoints: w, u, x."""
    access = role(kernel, page, "access")
    return "".join(letter if access & bit else "-" for bit, letter in ((2, "w"), (4, "u"), (1, "x")))


def role_text(kernel: Kernel, page: int) -> str:
    """As KVM's tracepoints print a role; on these kernels a 4-byte guest entry has its own bit."""
    words = [f"{4 if role(kernel, page, 'has_4_byte_gpte') else 8}-byte", f"q{role(kernel, page, 'quadrant')}",
             "direct" if role(kernel, page, "direct") else "", access_text(kernel, page),
             "invalid" if role(kernel, page, "invalid") else "",
             "nxe" if role(kernel, page, "efer_nx") else "!nxe",
             "!ad" if role(kernel, page, "ad_disabled") else "ad"]
    return " ".join(word for word in words if word)


def parent_count(kernel: Kernel, page: int) -> int:
    """How many SPTEs point to a shadow page: parent_ptes is one pointer, or a chain of descriptors."""
    value = field(kernel, page, "parent_ptes")
    if not value & 1:
        return int(value != 0)
    count, descriptor = 0, value & ~3
    for _ in range(DESCRIPTORS_MAX):
        count += kernel.get(descriptor, "pte_list_desc.spte_count")
        descriptor = kernel.get(descriptor, "pte_list_desc.more")
        if not descriptor:
            return count
    raise AssertionError(f"the parents of {page:#x} do not end")


def unsync_children(kernel: Kernel, page: int) -> int:
    """A page of the TDP MMU has none, and newer kernels keep something else in that place."""
    return 0 if field(kernel, page, "tdp_mmu_page") else field(kernel, page, "unsync_children")


def active_pages(kernel: Kernel, vm: int):
    return kernel.list_of(kernel.at(vm, "kvm.arch.active_mmu_pages"), "kvm_mmu_page.link")


def tdp_pages(kernel: Kernel, vm: int) -> list[int]:
    """Of the TDP MMU: its roots and everything below them, each once."""
    found = {}
    waiting = list(kernel.list_of(kernel.at(vm, "kvm.arch.tdp_mmu_roots"), "kvm_mmu_page.link"))[::-1]
    while waiting:
        page = waiting.pop()
        if page not in found:
            found[page] = None
            waiting += children(kernel, page)[::-1]
    return list(found)


def children(kernel: Kernel, page: int) -> list[int]:
    level = role(kernel, page, "level")
    return [page_of_table(kernel, spte & FRAME) for spte in kernel.table(field(kernel, page, "spt"))
            if is_present(spte) and not is_leaf(spte, level)]


def page_records(kernel: Kernel, tdp: bool = False) -> list[dict]:
    return [page_record(kernel, index, vm, page) for index, vm in enumerate(vm_addresses(kernel))
            for page in [*active_pages(kernel, vm), *(tdp_pages(kernel, vm) if tdp else [])]]


def page_record(kernel: Kernel, index: int, vm: int, page: int) -> dict:
    tdp = bool(field(kernel, page, "tdp_mmu_page"))
    return {
        "vm": index,
        "sp": hex(page),
        "level": role(kernel, page, "level"),
        "gfn": hex(field(kernel, page, "gfn")),
        "quadrant": role(kernel, page, "quadrant"),
        "direct": bool(role(kernel, page, "direct")),
        "unsync": bool(field(kernel, page, "unsync")),
        "unsync_children": unsync_children(kernel, page),
        "root_count": field(kernel, page, "root_count"),
        "invalid": bool(role(kernel, page, "invalid")),
        "obsolete": is_obsolete(kernel, vm, page),
        "tdp_mmu": tdp,
        "guest_mode": bool(role(kernel, page, "guest_mode")),
        "smm": role(kernel, page, "smm"),
        "access": access_text(kernel, page),
        "role": hex(role(kernel, page, "word")),
        "role_text": role_text(kernel, page),
        "nx_huge_disallowed": bool(kernel.get(page, kernel.first_of("kvm_mmu_page.nx_huge_page_disallowed",
                                                                    "kvm_mmu_page.lpage_disallowed"))),
        "spt": hex(field(kernel, page, "spt")),
        "parents": int(field(kernel, page, "ptep") != 0) if tdp else parent_count(kernel, page),
    }


def is_obsolete(kernel: Kernel, vm: int, page: int) -> bool:
    """A page of the TDP MMU has no generation."""
    return not field(kernel, page, "tdp_mmu_page") and \
        field(kernel, page, "mmu_valid_gen") != kernel.get(vm, "kvm.arch.mmu_valid_gen")
