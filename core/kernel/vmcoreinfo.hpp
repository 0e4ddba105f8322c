// The VMCOREINFO note: what a kernel says about itself for dump tools.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/address.hpp"

namespace kvmscope {

// kernel/crash_core.c, kernel/vmcore_info.c: one KEY=VALUE a line.
class VmCoreInfo {
 public:
  // Lines without '=' are ignored; the last of several equal keys wins.
  explicit VmCoreInfo(std::string_view text);

  std::optional<std::string> text(std::string_view key) const;
  // SYMBOL(name): a run-time address.
  std::optional<std::uint64_t> symbol(std::string_view name) const;
  // NUMBER(name): signed decimal, also for masks and addresses.
  std::optional<std::int64_t> number(std::string_view name) const;

  std::string release() const;          // OSRELEASE; empty when absent
  std::string build_id() const;         // BUILD-ID of vmlinux, hex; empty before 5.9
  std::uint64_t kernel_offset() const;  // the KASLR slide, bytes
  std::uint64_t sme_mask() const;       // the AMD memory encryption bit; 0 without
  unsigned paging_levels() const;       // 4 or 5
  // The physical address of the kernel's top page table. Throws Error{unavailable}.
  PhysAddr page_table_root() const;

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

}  // namespace kvmscope
