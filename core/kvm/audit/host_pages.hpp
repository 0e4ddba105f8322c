// Host frames behind a VM's memory, by its owner's page tables: many addresses, near each other.
#pragma once

#include <cstdint>
#include <optional>

#include "core/kvm/host_walk.hpp"
#include "core/memory/reader.hpp"

namespace kvmscope::kvm::audit {

struct HostPage {
  HostState state = HostState::lost;
  PhysAddr hpa;  // mapped only
  bool writable = false;
};

class HostPages {
 public:
  // Keeps the references.
  HostPages(const Kvm& kvm, const Vm& vm) : kvm_(kvm), vm_(vm) {}

  // Throws Error{fault}, Error{corrupt} where the tables cannot be read.
  HostPage at(std::uint64_t hva);

 private:
  // What maps 2 MiB of addresses: a page table, or nothing that has one.
  struct Region {
    std::uint64_t number = ~0ULL;
    bool writable = false;  // by the entries above it
    Table table{};
  };

  HostPage walk(std::uint64_t hva);

  const Kvm& kvm_;
  const Vm& vm_;
  Region region_;
};

}  // namespace kvmscope::kvm::audit
