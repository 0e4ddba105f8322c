// Which VM and vCPU an event is of: VMs come and go while we look.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "core/kvm/kvm.hpp"

namespace kvmscope::tracing {

struct VcpuName {
  std::optional<std::uint64_t> vm;  // as `vms` numbers it
  std::optional<std::uint64_t> vcpu;
  bool operator==(const VcpuName&) const = default;
};

class VcpuNames {
 public:
  // Keeps a reference.
  explicit VcpuNames(const kvm::Kvm& kvm) : kvm_(kvm) { refresh(); }

  // By the address of the struct kvm; none: it was gone before we saw it.
  std::optional<std::uint64_t> vm(std::uint64_t kvm_address);
  // By the thread that ran the vCPU last; both none: the thread of no vCPU.
  VcpuName thread(std::int32_t tid);

  // Reads the lists again. A VM keeps its number, and no other gets it.
  void refresh();

 private:
  struct Known {
    std::uint64_t number = 0;
    std::optional<std::string> id;  // another VM may get the address of one that has gone
  };
  void refresh_for_unknown();
  void read_vms();
  void add_vm(VirtAddr address);
  void add_threads(const kvm::Vm& vm);

  const kvm::Kvm& kvm_;
  std::map<std::uint64_t, Known> vms_;
  std::map<std::int32_t, VcpuName> threads_;
  std::uint64_t next_number_ = 0;
  std::uint64_t refreshed_ns_ = 0;
};

// "0.1", as roots are named; "?" for what is not known; "-" for a thread of no vCPU.
std::string name_text(const VcpuName& name);

}  // namespace kvmscope::tracing
