// The fields of `counts`.
#pragma once

#include <vector>

#include "commands/output/record.hpp"
#include "core/kvm/mmu_counts.hpp"

namespace kvmscope {

struct CountItem {
  const kvm::Kvm& kvm;
  const kvm::Vm& vm;
  const kvm::MmuCounts& counts;
};

const std::vector<FieldOf<CountItem>>& count_fields();
// Of the records in levels, roles and hash_lengths.
const std::vector<Column>& count_level_columns();
const std::vector<Column>& count_role_columns();
const std::vector<Column>& count_length_columns();

}  // namespace kvmscope
