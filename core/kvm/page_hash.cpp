#include "core/kvm/page_hash.hpp"

#include <cstring>

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

void HashMemory::read(VirtAddr at, MutableBytes into) const {
  const HashLinks* known =
      into.size() == sizeof *known ? find_(at - fields_.hash_link.offset) : nullptr;
  if (known == nullptr) return memory_.read(at, into);
  std::memcpy(into.data(), known, sizeof *known);
  // The header was read with bytes that matter to nobody, too: these do now.
  memory_.used(at, into, {fields_.hash_link.structure, fields_.hash_link.spelling});
}

}  // namespace kvmscope::kvm
