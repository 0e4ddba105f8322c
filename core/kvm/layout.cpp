#include "core/kvm/layout.hpp"

namespace kvmscope::kvm {

std::vector<const FieldGroup*> Layout::groups() const {
  return {&vm(),       &vcpu(),    &mmu(),          &root_info(),  &page(),     &role(),
          &memslots(), &memslot(), &memslot_arch(), &lpage_info(), &pte_list(), &page_struct(),
          &dentry(),   &xarray(),  &xa_node(),      &svm_vm(),     &svm_vcpu(), &vmcb()};
}

}  // namespace kvmscope::kvm
