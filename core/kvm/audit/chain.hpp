// One chain of struct pte_list_desc, with all that is wrong with it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "core/kvm/audit/object_memory.hpp"
#include "core/kvm/layout.hpp"

namespace kvmscope::kvm::audit {

// Calls `visit` for each SPTE address that `head`, a kvm_rmap_head.val, leads to, and `fault` for
// each thing that KVM would not have written. Ends at a loop or a pointer that leads nowhere, which
// is a fault, too. Throws Error{fault} for memory that is missing.
void walk_chain(const ObjectMemory& memory, const PteListFields& fields, std::uint64_t head,
                const std::function<void(VirtAddr spte)>& visit,
                const std::function<void(std::string text)>& fault);

}  // namespace kvmscope::kvm::audit
