// Findings about pages and entries, with the words that all rules share.
#pragma once

#include "core/kvm/audit/findings.hpp"
#include "core/kvm/audit/model.hpp"

namespace kvmscope::kvm::audit {

// "sp 0xffff… (level 2, gfn 0x117)"
std::string words(const ShadowPage& page);
// "SPTE 0x… at 0xffff… ([5] of sp 0xffff…, level 2, gfn 0x117)"
std::string words(const TableEntry& entry);
std::string words(const Leaf& leaf);

// `said` goes behind the words for it: "has …".
Finding about(const Node& node, const std::string& said);
Finding about(const TableEntry& entry, const std::string& said);
Finding about(const Leaf& leaf, const std::string& said);
// Of the VM as a whole.
Finding about_vm(const Model& model, std::string text);

// Why a rule does not hold, for Rule::excuse.
std::string without_member(const Field& field, std::string_view what);
std::string in_tdp_mmu_only(const Model& model);         // the VM has no TDP MMU
std::string in_kernels_with_bit_11(const Model& model);  // SPTE_MMU_PRESENT_MASK, v5.13

}  // namespace kvmscope::kvm::audit
