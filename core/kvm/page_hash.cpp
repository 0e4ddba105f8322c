#include "core/kvm/page_hash.hpp"

namespace kvmscope::kvm {
namespace {

constexpr std::uint64_t pointed_buckets = 4096;  // 1 << KVM_MMU_HASH_SHIFT: not in the debug info

}  // namespace

PageHash page_hash(const Kvm& kvm, const Vm& vm) {
  const Field& field = kvm.layout().vm().page_hash;
  const VirtAddr at = vm.fields.address_of(field);
  if (strip(*field.type).kind != TypeKind::pointer) return {at, field.count()};
  return {{kvm.memory().u64(at)}, pointed_buckets, true};
}

}  // namespace kvmscope::kvm
