// How a batch of mmu_unsync_walk looks: `unsync` replays one, `trace unsync` sees one happen.
#pragma once

#include <string>
#include <vector>

#include "commands/output/record.hpp"
#include "core/kvm/unsync.hpp"

namespace kvmscope {

// "pages" and "steps" of a batch's record.
Column unsync_pages_column();
Column unsync_steps_column();
const std::vector<Column>& unsync_page_columns();
Records unsync_page_records(const std::vector<kvm::UnsyncPage>& pages);

// The rows of indexes, levels and entries, and a line for each step, of a record that has both
// columns.
std::string unsync_rows(const RecordView& batch);

}  // namespace kvmscope
