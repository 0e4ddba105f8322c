// The memory that /proc/kcore shows: segments of kernel virtual addresses in a file that never
// ends.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/file.hpp"
#include "core/memory/dump.hpp"

namespace kvmscope {

// One PT_LOAD of /proc/kcore (fs/proc/kcore.c).
struct KcoreSegment {
  VirtAddr first;
  VirtAddr last;  // inclusive: the highest one may end with the address space
  std::uint64_t file_offset = 0;
  std::optional<PhysAddr> physical;  // RAM and the kernel's text; none: vmalloc, modules, vmemmap
};

// Reads kernel virtual addresses with one system call each. kcore fills holes with zeros.
class KcoreMemory final : public VirtReader {
 public:
  // Keeps the descriptor; segments in any order.
  KcoreMemory(FileDescriptor file, std::vector<KcoreSegment> segments);

  // Throws Error{fault}: "… no such memory", "… added since start", or what the kernel says.
  void read(VirtAddr at, MutableBytes into) const override;

  const std::vector<KcoreSegment>& segments() const { return segments_; }
  const DirectMap& direct_map() const { return direct_map_; }
  const ReadCounts& counts() const { return counts_; }

 private:
  const KcoreSegment* find(VirtAddr at) const;
  void read_file(const KcoreSegment& segment, VirtAddr at, MutableBytes into) const;
  [[noreturn]] void throw_nowhere(VirtAddr at) const;

  FileDescriptor file_;
  std::vector<KcoreSegment> segments_;  // sorted by `first`
  DirectMap direct_map_;
  mutable const KcoreSegment* last_ = nullptr;
  mutable ReadCounts counts_;
};

// Why /proc/kcore below `system_root` could not be opened, errno `reason`, and what to do.
std::string kcore_advice(int reason, const std::string& system_root);

}  // namespace kvmscope
