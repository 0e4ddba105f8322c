// What a process has mapped: struct vm_area_struct by user address.
#pragma once

#include <cstdint>
#include <optional>

#include "core/kernel/fields.hpp"

namespace kvmscope {

// struct mm_struct: where its mappings are found from, include/linux/mm_types.h.
struct MmMappingsFields : FieldGroup {
  explicit MmMappingsFields(const Types& types) : FieldGroup(types, "struct mm_struct") {}
  Field maple_root = optional({"mm_mt.ma_root"});
  Field rb_root = optional({"mm_rb.rb_node"});  // until 524e00b36e8c (v6.1)
};

struct VmaFields : FieldGroup {
  explicit VmaFields(const Types& types) : FieldGroup(types, "struct vm_area_struct") {}
  Field start = field({"vm_start"});
  Field end = field({"vm_end"});
  Field flags = field({"vm_flags"});
  Field userfaultfd = optional({"vm_userfaultfd_ctx.ctx"});  // CONFIG_USERFAULTFD
  Field rb_left = optional({"vm_rb.rb_left"});               // until v6.1
  Field rb_right = optional({"vm_rb.rb_right"});
  Field rb_node = optional_place({"vm_rb"});
};

// include/linux/maple_tree.h, since v6.1.
struct MapleNodeFields : FieldGroup {
  explicit MapleNodeFields(const Types& types) : FieldGroup(types, "struct maple_node") {}
  Field range_pivots = optional({"mr64.pivot"});
  Field range_slots = optional({"mr64.slot"});
  Field arange_pivots = optional({"ma64.pivot"});
  Field arange_slots = optional({"ma64.slot"});
};

struct Vma {
  VirtAddr address;         // of the struct vm_area_struct
  std::uint64_t start = 0;  // user addresses
  std::uint64_t end = 0;    // exclusive
  std::uint64_t flags = 0;  // VM_*, include/linux/mm.h
  bool has_userfaultfd = false;

  bool accessible() const {
    return (flags & 0x7) != 0;
  }  // VM_READ, VM_WRITE, VM_EXEC: vma_is_accessible()
};

// The mapping that holds a user address; none: no mapping does. Throws Error{fault}, Error{corrupt}
// on a tree that is none, a mapping that does not hold the address, or types without such trees.
std::optional<Vma> find_vma(const Types& types, const VirtReader& memory, VirtAddr mm,
                            std::uint64_t address);

}  // namespace kvmscope
