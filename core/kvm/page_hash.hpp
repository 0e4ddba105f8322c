// The hash of a VM's shadow pages by their gfn, arch.mmu_page_hash.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>

#include "core/kvm/kvm.hpp"

namespace kvmscope::kvm {

struct PageHash {
  VirtAddr heads;  // of struct hlist_head; 0: there is none yet
  std::uint64_t buckets = 0;
  bool outside_vm = false;  // the struct kvm only points to it, since v6.16
};
// Throws Error{fault}.
PageHash page_hash(const Kvm& kvm, const Vm& vm);

// Finds the links of pages whose headers were read in these: the hash has its pages in another
// order than the list, and memory that was left is slow to come back to.
class HashMemory final : public VirtReader {
 public:
  // None: a page that is not known; its links are read from `memory`.
  using Find = std::function<const HashLinks*(VirtAddr page)>;
  // Keeps the references.
  HashMemory(const VirtReader& memory, const PageFields& fields, Find find)
      : memory_(memory), fields_(fields), find_(std::move(find)) {}

  void read(VirtAddr at, MutableBytes into) const override;

 private:
  const VirtReader& memory_;
  const PageFields& fields_;
  Find find_;
};

}  // namespace kvmscope::kvm
