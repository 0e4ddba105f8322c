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
#include "core/kvm/memslots.hpp"
#include "core/kvm/walk.hpp"

namespace kvmscope {

// Before the guest physical address, with --gva: the guest's own tables.
struct VirtualPart {
  std::uint64_t gva = 0;
  kvm::ControlRegisters registers;
  kvm::GuestWalk walk;
};

// The walk of the root that a vCPU runs on.
struct RootPart {
  std::uint64_t vcpu = 0;  // vcpu_id
  std::string name;        // empty: the vCPU has none, or the address is not one of it
  std::optional<kvm::TreeStart> tree = {};
  std::uint64_t address = 0;  // in the tree's domain
  std::vector<kvm::PathStep> steps;
  std::optional<Error> lost;
};
// A root that shadows the guest's tables has the virtual address, a direct one the physical one.
RootPart walk_current_root(const kvm::Kvm& kvm, const kvm::Vcpu& vcpu,
                           std::optional<std::uint64_t> gva, std::optional<GuestPhysAddr> gpa);

struct Translation {
  const kvm::Kvm& kvm;
  const kvm::Vm& vm;
  kvm::RootPaths& paths;
  std::optional<VirtualPart> guest = {};
  std::optional<RootPart> root = {};      // of the vCPU that is asked about, if one is
  std::optional<GuestPhysAddr> gpa = {};  // none: the guest maps nothing there
  const kvm::Memslot* slot = nullptr;     // nullptr: none holds it
  kvm::HostWalk host = {};
  std::optional<Error> host_lost = {};
  std::vector<kvm::Mapping> sptes = {};
  std::optional<Error> sptes_lost = {};

  // Precondition: there is a slot.
  std::uint64_t hva() const { return kvm::hva_of(*slot, *gpa); }
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

// The rest of the way, in the memslot that holds it; what is lost is kept as such.
void follow(Translation& item, const kvm::Memslot& slot);

std::vector<Column> translation_columns();
// A field that cannot be read is lost, the others stay.
Record translation_record(const Translation& item);
// The record for a person.
std::string translation_text(const RecordView& record);
// Its root alone.
std::string root_text(const RecordView& record);

// The columns of its nested records, for translation_text().
const std::vector<Column>& walk_step_columns();
const std::vector<Column>& root_step_columns();
const std::vector<Column>& mapping_columns();

}  // namespace kvmscope
