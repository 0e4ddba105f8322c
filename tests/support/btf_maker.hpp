// BTF being made, with libbpf's own writer.
#pragma once

#include <bpf/btf.h>

#include "core/base/bits.hpp"

namespace kvmscope {

class BtfMaker {
 public:
  // `base` must outlive it.
  explicit BtfMaker(const BtfMaker* base = nullptr)
      : btf_(base != nullptr ? btf__new_empty_split(base->btf_) : btf__new_empty()) {}
  BtfMaker(const BtfMaker&) = delete;
  BtfMaker& operator=(const BtfMaker&) = delete;
  ~BtfMaker() { btf__free(btf_); }

  btf* get() const { return btf_; }
  // Valid until something is added.
  Bytes bytes() const {
    std::uint32_t size = 0;
    const void* data = btf__raw_data(btf_, &size);
    return {static_cast<const std::byte*>(data), size};
  }

 private:
  btf* btf_;
};

}  // namespace kvmscope
