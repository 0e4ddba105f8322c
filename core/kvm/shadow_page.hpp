// A shadow page (struct kvm_mmu_page): one page table that KVM built, and what it stands for.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "core/base/address.hpp"
#include "core/kvm/layout.hpp"

namespace kvmscope::kvm {

// union kvm_mmu_page_role, decoded.
struct Role {
  std::uint32_t word = 0;
  unsigned level = 0;
  bool has_4_byte_gpte = false;
  unsigned quadrant = 0;
  bool direct = false;
  unsigned access = 0;  // 1 exec, 2 write, 4 user (8 read, where the field is wider)
  bool invalid = false;
  bool efer_nx = false;
  bool ad_disabled = false;
  bool guest_mode = false;
  bool passthrough = false;
  unsigned smm = 0;  // the memslot address space

  // "wux", "-u-": as in the kvmmmu tracepoints, arch/x86/kvm/mmu/mmutrace.h.
  std::string access_text() const;
  // The tracepoints' words: "8-byte q0 direct wux invalid nxe ad".
  std::string text() const;
};

Role decode_role(const RoleFields& fields, std::uint32_t word);

// struct hlist_node.
struct HashLinks {
  std::uint64_t next = 0;
  std::uint64_t pprev = 0;
};

struct ShadowPage {
  VirtAddr address;  // struct kvm_mmu_page
  Role role;
  Gfn gfn;
  VirtAddr spt;  // the table, in the direct map
  bool tdp_mmu = false;
  bool unsync = false;
  bool nx_huge_disallowed = false;
  std::uint8_t valid_gen = 0;  // of shadow pages only: TDP MMU pages use the byte otherwise
  std::int64_t root_count = 0;
  std::uint64_t parent_ptes = 0;  // kvm_rmap_head.val of a shadow page
  VirtAddr ptep;                  // the parent's entry of a TDP MMU page
  // Shadow pages only: the words are shared with other things in TDP MMU pages.
  std::uint64_t unsync_children = 0;
  std::array<std::uint64_t, 8> unsync_child_bitmap{};
  VirtAddr gfn_table;                 // shadowed_translation or gfns; 0: none
  bool gfn_table_has_access = false;  // entries are gfn << 12 | access

  HashLinks hash_link;  // as they were when the header was read

  unsigned level() const { return role.level; }
};

// Decodes a copy of a struct kvm_mmu_page. Throws Error{corrupt} on a level that is not 1 to 5.
ShadowPage decode_page(const PageFields& fields, const Role& role, const StructCopy& copy);

// One bit in the unsync bitmap.
inline bool test_bit(const std::array<std::uint64_t, 8>& bitmap, unsigned index) {
  return (bitmap[index / 64] >> (index % 64) & 1) != 0;
}

}  // namespace kvmscope::kvm
