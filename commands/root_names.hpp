// What root slots call the shadow pages that they hold.
#pragma once

#include "commands/output/view.hpp"
#include "commands/targets.hpp"
#include "core/kvm/ancestry.hpp"

namespace kvmscope {

// Of every valid slot of every vCPU of these VMs, PAE entries too. What cannot be read is noted.
kvm::RootNames root_names(const kvm::Kvm& kvm, const std::vector<kvm::Vm>& vms, RowSink& rows);

// A column of a record that is lost as a whole where its shadow page is: "?" there, since the last
// column says why.
TableColumn known_column(std::string_view header, std::string_view field);
// Why its shadow page is lost; empty: it is not.
std::string loss_text(const RecordView& record);

}  // namespace kvmscope
