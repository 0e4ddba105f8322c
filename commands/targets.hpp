// Which VMs, vCPUs and roots a command line means.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "commands/command.hpp"
#include "core/kvm/kvm.hpp"
#include "core/kvm/walk.hpp"

namespace kvmscope {

// The argument that most commands take.
inline Argument vm_argument() {
  return {"VM", ArgumentKind::vm,
          "an index (3), an id (95-4), pid:95 or the address of a struct kvm; all when left out",
          true};
}
inline Argument root_argument(bool optional) {
  return {"ROOT", ArgumentKind::root,
          "VM.VCPU[.root_mmu|.guest_mmu][.prevN][.paeN], a shadow page's address or a root's hpa",
          optional};
}

// Every VM that can be read, in order of creation. One that cannot is noted.
std::vector<kvm::Vm> all_vms(const kvm::Kvm& kvm, RowSink& rows);
// The one VM that `text` names. Throws Error{usage}.
kvm::Vm find_vm(const kvm::Kvm& kvm, std::string_view text, RowSink& rows);
// The VM argument of the command line, or all; notes when there is no VM at all.
std::vector<kvm::Vm> selected_vms(const kvm::Kvm& kvm, const Arguments& args, RowSink& rows);

// Runs `visit` for each vCPU, and for each root slot of it; what cannot be read is noted.
void each_vcpu(const kvm::Kvm& kvm, const kvm::Vm& vm, RowSink& rows,
               const std::function<void(const kvm::Vcpu&)>& visit);
void each_root(const kvm::Kvm& kvm, const kvm::Vm& vm, RowSink& rows,
               const std::function<void(const kvm::Root&, const kvm::Vcpu&)>& visit);

// A place to start a walk from, and what users call it.
struct NamedStart {
  std::optional<unsigned> vm;  // none: a table that no known root leads to
  std::string name;
  kvm::TreeStart tree;
};
// Throws Error{usage} when `text` names nothing that can be walked.
NamedStart find_root(const kvm::Kvm& kvm, std::string_view text, RowSink& rows);
// Every valid root and PAE entry of every vCPU, each table once.
std::vector<NamedStart> all_roots(const kvm::Kvm& kvm, RowSink& rows);

}  // namespace kvmscope
