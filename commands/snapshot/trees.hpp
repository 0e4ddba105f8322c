// What the trees of a VM map: runs of leaves that follow one another.
#pragma once

#include "commands/output/json_document.hpp"
#include "commands/snapshot/section.hpp"
#include "core/kvm/kvm.hpp"

namespace kvmscope::snapshots {

// Writes the section "trees": an object per root, with its runs as they are met.
void write_trees(Session& session, const kvm::Vm& vm, Sections& sections);

}  // namespace kvmscope::snapshots
