// What root slots call the shadow pages that they hold.
#pragma once

#include "commands/targets.hpp"
#include "core/kvm/ancestry.hpp"

namespace kvmscope {

// Of every valid slot of every vCPU of these VMs, PAE entries too. What cannot be read is noted.
kvm::RootNames root_names(const kvm::Kvm& kvm, const std::vector<kvm::Vm>& vms, RowSink& rows);

}  // namespace kvmscope
