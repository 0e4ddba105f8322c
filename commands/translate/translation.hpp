// One address on its way from the guest to the host's memory: what a record of `translate` says.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "commands/output/record.hpp"
#include "core/kvm/ancestry.hpp"
#include "core/kvm/guest_paging.hpp"
#include "core/kvm/host_walk.hpp"
#include "core/kvm/mappings.hpp"
#include "core/kvm/walk.hpp"

namespace kvmscope {

// Before the guest physical address, with --gva: the guest's own tables, and beside them the walk
// of the root that the vCPU runs on.
struct VirtualPart {
  std::uint64_t vcpu = 0;  // vcpu_id
  std::uint64_t gva = 0;
  kvm::ControlRegisters registers;
  kvm::GuestWalk walk;
  std::string root;  // its name; empty: the vCPU has none, or the address is not one of it
  std::vector<kvm::PathStep> root_steps;
  std::optional<Error> root_lost;
};

struct Translation {
  const kvm::Kvm& kvm;
  const kvm::Vm& vm;
  kvm::RootPaths& paths;
  std::optional<VirtualPart> guest = {};
  std::optional<GuestPhysAddr> gpa = {};  // none: the guest maps nothing there
  const kvm::Memslot* slot = nullptr;     // nullptr: none holds it
  kvm::HostWalk host = {};
  std::optional<Error> host_lost = {};
  std::vector<kvm::Mapping> sptes = {};
  std::optional<Error> sptes_lost = {};

  // Precondition: there is a slot.
  std::uint64_t hva() const {
    return slot->hva + ((to_gfn(*gpa) - slot->base) << page_shift) + gpa->value % page_size;
  }
  const kvm::HostWalk& host_walk() const {
    if (host_lost) throw Error(*host_lost);
    return host;
  }
  // The same, of which the end is known.
  const kvm::HostWalk& whole_host_walk() const {
    if (host_walk().lost) throw Error(*host.lost);
    return host;
  }
  const std::vector<kvm::Mapping>& mappings() const {
    if (sptes_lost) throw Error(*sptes_lost);
    return sptes;
  }
};

std::vector<Column> translation_columns();
// A field that cannot be read is lost, the others stay.
Record translation_record(const Translation& item);
// The record for a person.
std::string translation_text(const RecordView& record);

// The columns of its nested records, for translation_text().
const std::vector<Column>& walk_step_columns();
const std::vector<Column>& root_step_columns();
const std::vector<Column>& mapping_columns();

}  // namespace kvmscope
