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
// Runs `make` for each VM as a part of steadily(): with a copy of it that is not older than the
// part. `what` says what a fault costs.
void steadily_by_vm(const kvm::Kvm& kvm, RowSink& rows, const std::vector<kvm::Vm>& vms,
                    const std::function<std::string(const kvm::Vm&)>& what,
                    const std::function<void(const kvm::Vm&)>& make);
// The one VM that `text` names. Throws Error{usage}.
kvm::Vm find_vm(const kvm::Kvm& kvm, std::string_view text, RowSink& rows);
// The VM argument of the command line, or all; notes when there is no VM at all.
std::vector<kvm::Vm> selected_vms(const kvm::Kvm& kvm, const Arguments& args, RowSink& rows);

// Runs `visit` for each vCPU; what cannot be read is noted.
void each_vcpu(const kvm::Kvm& kvm, const kvm::Vm& vm, RowSink& rows,
               const std::function<void(const kvm::Vcpu&)>& visit);
// Runs `make` for each vCPU as a part of steadily(); what cannot be read is noted.
void steadily_by_vcpu(const kvm::Kvm& kvm, const kvm::Vm& vm, RowSink& rows,
                      const std::function<void(const kvm::Vcpu&)>& make);
// Every root slot of every vCPU, as each vCPU had them at one moment.
std::vector<kvm::Root> root_slots(const kvm::Kvm& kvm, const kvm::Vm& vm, RowSink& rows);

// A place to start a walk from, and what users call it.
struct NamedStart {
  std::optional<unsigned> vm;  // none: a table that no known root leads to
  std::string name;
  kvm::TreeStart tree;
};
// The shadow page of a root: of a kernel that runs as it is now, with the caller's work depending
// on its being the same page. Precondition: it has one.
kvm::ShadowPage root_page_now(const kvm::Kvm& kvm, const NamedStart& root);
// Throws Error{usage} when `text` names nothing that can be walked.
NamedStart find_root(const kvm::Kvm& kvm, std::string_view text, RowSink& rows);
// Every valid root and PAE entry of every vCPU of a VM, each table once.
std::vector<NamedStart> roots_of(const kvm::Kvm& kvm, const kvm::Vm& vm, RowSink& rows);
// The same of every VM.
std::vector<NamedStart> all_roots(const kvm::Kvm& kvm, RowSink& rows);

}  // namespace kvmscope
