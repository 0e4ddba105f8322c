#include "core/kvm/layout.hpp"

namespace kvmscope::kvm {

std::vector<const FieldGroup*> Layout::groups() const {
  return {
      &vm(),       &vm_audit(),       &vcpu(),        &mmu(),     &mmu_check(),    &root_info(),
      &page(),     &role(),           &memslots(),    &memslot(), &memslot_arch(), &lpage_info(),
      &pte_list(), &percpu_counter(), &page_struct(), &dentry(),  &xarray(),       &xa_node(),
      &svm_vm(),   &svm_vcpu(),       &vmcb()};
}

}  // namespace kvmscope::kvm
