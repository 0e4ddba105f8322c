#!/usr/bin/python3
"""The questions of the benchmark, asked as a good drgn user would: whole structs and whole tables
in one read, unpacked with struct. Prints seconds and CPU seconds for the question alone, and the answer.

  drgn_walk.py DUMP DEBUG-FOLDER roots|levels|pages|pages-members|pages-json|audit"""

import glob
import json
import struct
import sys
import time

import drgn
from drgn.helpers.linux.list import list_for_each_entry

MASK = 0x000FFFFFFFFFF000
INVALID = 2**64 - 1


def open_dump(path, debug):
    prog = drgn.Program()
    prog.set_core_dump(path)
    release = prog["UTS_RELEASE"].string_().decode()
    prog.load_debug_info(
        [f"{debug}/boot/vmlinux-{release}"]
        + glob.glob(f"{debug}/lib/modules/{release}/kernel/arch/x86/kvm/kvm*.ko*"))
    return prog


def vms(prog):
    return list_for_each_entry("struct kvm", prog["vm_list"].address_of_(), "vm_list")


def vcpus(prog, vm):
    """struct xarray by hand: this drgn has no helper for it."""
    count = vm.online_vcpus.counter.value_()
    entry = vm.vcpu_array.xa_head.value_()
    if entry & 3 != 2:
        return [drgn.Object(prog, "struct kvm_vcpu *", value=entry)] if count else []
    slots = struct.unpack("<64Q", prog.read((entry & ~3) + 40, 512))
    return [drgn.Object(prog, "struct kvm_vcpu *", value=slots[i]) for i in range(count)]


def roots(prog):
    """Every valid root of every vCPU: (pgd, hpa)."""
    found = []
    for vm in vms(prog):
        for vcpu in vcpus(prog, vm):
            mmu = vcpu.arch.mmu[0]
            for info in [mmu.root] + [mmu.prev_roots[i] for i in range(3)]:
                if info.hpa.value_() != INVALID:
                    found.append((info.pgd.value_(), info.hpa.value_()))
    return found


def levels(prog):
    """Leaves below all distinct roots, tables counted once each."""
    seen, leaves = set(), 0
    work = [(hpa & MASK, 4) for _, hpa in roots(prog)]
    while work:
        table, level = work.pop()
        if table in seen:
            continue
        seen.add(table)
        for entry in struct.unpack("<512Q", prog.read(table, 4096, True)):
            if not entry & 0x800:
                continue
            if level == 1 or entry & 0x80:
                leaves += 1
            else:
                work.append((entry & MASK, level - 1))
    return {"tables": len(seen), "leaves": leaves}


FLAGS = (("quadrant", 5, 3), ("direct", 7, 1), ("access", 8, 7), ("invalid", 11, 1), ("efer_nx", 12, 1),
         ("cr0_wp", 13, 1), ("smep", 14, 1), ("smap", 15, 1), ("ad_disabled", 16, 1), ("guest_mode", 17, 1))


def pages_json(prog):
    """The same, written as JSON: flags of the role as keys, addresses as hex strings."""
    records = []
    for page, level, gfn, spt, role, unsync, roots_, kids, gen, tdp, parents in page_tuples(prog):
        record = {"sp": hex(page), "level": level, "gfn": hex(gfn), "spt": hex(spt), "role": hex(role),
                  "unsync": bool(unsync), "root_count": roots_, "unsync_children": kids, "valid_gen": gen,
                  "tdp_mmu": bool(tdp), "parents": parents, "smm": role >> 24}
        for name, shift, mask in FLAGS:
            record[name] = role >> shift & mask
        record["role_text"] = " ".join(name for name, _, _ in FLAGS if record[name])
        records.append(record)
    with open("/dev/null", "w", encoding="utf-8") as out:
        out.write(json.dumps(records))
    return len(records)


def pages(prog):
    return len(page_tuples(prog))


def pages_by_member(prog):
    """The same fields, member by member, as most programs are written."""
    result = []
    for vm in vms(prog):
        for page in list_for_each_entry("struct kvm_mmu_page", vm.arch.active_mmu_pages.address_of_(), "link"):
            role = page.role.word.value_()
            parents = page.parent_ptes.val.value_()
            if parents & 1:
                parents = drgn.Object(prog, "unsigned long *", value=(parents & ~3) + 8)[0].value_()
            result.append((page, role & 15, page.gfn.value_(), page.spt.value_(), role, page.unsync.value_(),
                           page.root_count.value_(), page.unsync_children.value_(),
                           page.mmu_valid_gen.value_(), page.tdp_mmu_page.value_(), parents))
    return len(result)


def page_tuples(prog):
    """The fields of `pages`, a struct a read."""
    kind = prog.type("struct kvm_mmu_page")
    size = kind.size
    at = {name: drgn.offsetof(kind, name)
          for name in ("link", "unsync", "role", "gfn", "spt", "root_count", "unsync_children",
                       "parent_ptes", "mmu_valid_gen", "tdp_mmu_page")}
    result = []
    for vm in vms(prog):
        head = vm.arch.active_mmu_pages.address_of_().value_()
        (node,) = struct.unpack("<Q", prog.read(head, 8))
        while node != head:
            raw = prog.read(node - at["link"], size)
            role, = struct.unpack_from("<I", raw, at["role"])
            gfn, spt = (struct.unpack_from("<Q", raw, at[name])[0] for name in ("gfn", "spt"))
            parents, = struct.unpack_from("<Q", raw, at["parent_ptes"])
            if parents & 1:
                parents, = struct.unpack("<Q", prog.read((parents & ~3) + 8, 8))
            result.append((node - at["link"], role & 15, gfn, spt, role, raw[at["unsync"]],
                           struct.unpack_from("<i", raw, at["root_count"])[0],
                           struct.unpack_from("<I", raw, at["unsync_children"])[0],
                           raw[at["mmu_valid_gen"]], raw[at["tdp_mmu_page"]], parents))
            (node,) = struct.unpack_from("<Q", raw, at["link"])
    return result


HASH_BITS = 12


def hashed(prog, vm, at):
    """(bucket, shadow page) of mmu_page_hash; an array of heads, or a pointer to one."""
    table = vm.arch.mmu_page_hash
    start = (table if table.type_.kind == drgn.TypeKind.POINTER else table.address_of_()).value_()
    heads = struct.unpack(f"<{1 << HASH_BITS}Q", prog.read(start, 8 << HASH_BITS))
    for bucket, node in enumerate(heads):
        while node:
            yield bucket, node - at
            (node,) = struct.unpack("<Q", prog.read(node, 8))


def audit(prog):
    """Three invariants of the shadow pages: the active list against the hash, page_private against spt, unsync_children
    against its bitmap. The number of pages that break one."""
    kind, frame = prog.type("struct kvm_mmu_page"), prog.type("struct page")
    at = {name: drgn.offsetof(kind, name)
          for name in ("link", "hash_link", "gfn", "role", "spt", "unsync_children", "unsync_child_bitmap")}
    private, direct, vmemmap = drgn.offsetof(frame, "private"), prog["page_offset_base"].value_(), prog["vmemmap_base"].value_()
    broken = set()
    for vm in vms(prog):
        buckets = {}
        for bucket, page in hashed(prog, vm, at["hash_link"]):
            buckets.setdefault(page, []).append(bucket)
        head = vm.arch.active_mmu_pages.address_of_().value_()
        active = set()
        (node,) = struct.unpack("<Q", prog.read(head, 8))
        while node != head:
            page = node - at["link"]
            active.add(page)
            raw = prog.read(page, kind.size)
            gfn, spt = (struct.unpack_from("<Q", raw, at[name])[0] for name in ("gfn", "spt"))
            if buckets.get(page) != [(gfn * 0x61C8864680B583EB & INVALID) >> 64 - HASH_BITS]:
                broken.add(page)
            (owner,) = struct.unpack("<Q", prog.read(vmemmap + (spt - direct >> 12) * frame.size + private, 8))
            if owner != page:
                broken.add(page)
            bits = int.from_bytes(raw[at["unsync_child_bitmap"]:at["unsync_child_bitmap"] + 64], "little")
            if bits.bit_count() != struct.unpack_from("<I", raw, at["unsync_children"])[0]:
                broken.add(page)
            (node,) = struct.unpack_from("<Q", raw, at["link"])
        for page in buckets.keys() - active:
            if not prog.read_u32(page + at["role"]) >> 11 & 1:
                broken.add(page)
    return len(broken)


def main():
    dump, debug, question = sys.argv[1:]
    prog = open_dump(dump, debug)
    ask = {"roots": roots, "levels": levels, "pages": pages, "pages-members": pages_by_member,
           "pages-json": pages_json, "audit": audit}[question]
    ask(prog)  # types are loaded and memory is warm: the walk alone is timed
    started, worked = time.perf_counter(), time.process_time()
    answer = ask(prog)
    seconds, cpu = time.perf_counter() - started, time.process_time() - worked
    print(json.dumps({"seconds": seconds, "cpu": cpu, "answer": answer if question != "roots" else len(answer)}))


if __name__ == "__main__":
    main()
