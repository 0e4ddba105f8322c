#include "core/kvm/audit/describe.hpp"

namespace kvmscope::kvm::audit {
namespace {

std::string entry_words(std::uint64_t spte, VirtAddr at, unsigned index, const ShadowPage& page) {
  return fmt::format("SPTE {:#x} at {:#x} ([{}] of sp {:#x}, level {}, gfn {:#x})", spte, at.value,
                     index, page.address.value, page.level(), page.gfn.value);
}

}  // namespace

std::string words(const ShadowPage& page) {
  return fmt::format("sp {:#x} (level {}, gfn {:#x})", page.address.value, page.level(),
                     page.gfn.value);
}

std::string words(const TableEntry& entry) {
  return entry_words(entry.spte, entry.at, entry.index, entry.node.page);
}

std::string words(const Leaf& leaf) {
  return entry_words(leaf.spte, leaf.at, leaf.index, leaf.node->page);
}

Finding about(const Node& node, const std::string& said) {
  Finding finding;
  finding.object = Object::sp;
  finding.address = node.page.address;
  finding.text = words(node.page) + ' ' + said;
  finding.page = node.page;
  return finding;
}

Finding about(const TableEntry& entry, const std::string& said) {
  Finding finding;
  finding.object = Object::spte;
  finding.address = entry.at;
  finding.text = words(entry) + ' ' + said;
  finding.page = entry.node.page;
  finding.index = entry.index;
  if (entry.child != nullptr) finding.related.push_back(entry.child->page.address);
  return finding;
}

Finding about(const Leaf& leaf, const std::string& said) {
  Finding finding;
  finding.object = Object::spte;
  finding.address = leaf.at;
  finding.text = words(leaf) + ' ' + said;
  finding.page = leaf.node->page;
  finding.index = leaf.index;
  return finding;
}

Finding about_vm(const Model& model, std::string text) {
  Finding finding;
  finding.object = Object::vm;
  finding.address = model.vm().address;
  finding.text = std::move(text);
  finding.wide = true;
  return finding;
}

std::string without_member(const Field& field, std::string_view what) {
  return field.present() ? "" : fmt::format("this kernel's {} has no {}", field.structure, what);
}

std::string in_tdp_mmu_only(const Model& model) {
  return model.uses_tdp_mmu() ? "" : "the VM does not use the TDP MMU";
}

std::string in_kernels_with_bit_11(const Model& model) {
  return model.format().mmu_present != 0 ? ""
                                         : "this kernel's SPTEs have no bit of their own for that";
}

}  // namespace kvmscope::kvm::audit
