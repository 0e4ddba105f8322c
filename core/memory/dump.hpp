// A target that is open, a crash dump or the kernel that runs: its memory and what its headers say.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/open_log.hpp"
#include "core/memory/reader.hpp"

namespace kvmscope {

struct PhysRange {
  PhysAddr start;
  PhysAddr end;  // exclusive
};

struct DirectMap {
  VirtAddr start;
  std::uint64_t size = 0;
};

class Dump {
 public:
  virtual ~Dump() = default;

  // Physical memory. Errors say which kind of missing: left out of this dump,
  // excluded, no such memory, truncated.
  virtual const PhysReader& memory() const = 0;
  // The text of the VMCOREINFO note, none when the dump has no such note.
  virtual std::optional<std::string> vmcoreinfo() const = 0;
  // "ELF", "kdump zlib", …
  virtual std::string format() const = 0;
  virtual std::vector<PhysRange> ranges() const = 0;
  // Oddities worth showing in `info`: "the ELF header says i386", …
  virtual std::vector<std::string> notes() const { return {}; }
  virtual ReadCounts counts() const = 0;

  // Kernel virtual memory, where the target maps it itself (/proc/kcore): one read there is one
  // system call. nullptr: it has to be found through the kernel's page tables.
  virtual const VirtReader* kernel_memory() const { return nullptr; }
  // Where physical address 0 is in kernel_memory(), and how much may lie behind it, bytes.
  virtual DirectMap direct_map() const { return {}; }
  // Of the kernel that runs: the folder that has its proc and sys, "/". None: memory that does
  // not change.
  virtual std::optional<std::string> system_root() const { return std::nullopt; }
  bool is_live() const { return system_root().has_value(); }
  // Where files of the kernel that runs are written down when they are opened.
  virtual OpenLog* open_log() const { return nullptr; }
};

// Recognises the file and opens it. Throws Error{unavailable}: no such file,
// not a dump, truncated header, flattened (names `makedumpfile -R`), codec missing.
std::unique_ptr<Dump> open_dump(const std::string& path, OpenLog* log = nullptr);

// The kernel that runs, through /proc/kcore below `system_root`. `log` must outlive it. Throws
// Error{unavailable} that says which privilege, setting or kernel option is missing.
std::unique_ptr<Dump> open_live(const std::string& system_root = "/", OpenLog* log = nullptr);

// The dump codecs that this build can read, for --version: "ELF", "kdump zlib lzo snappy zstd".
std::vector<std::string> dump_codecs();

// `base` with bytes planted over it. The file has lines `PHYSICAL-ADDRESS HEXBYTES`
// (address 0x…, bytes in hex, blanks allowed, # comments). Throws Error{unavailable}.
std::unique_ptr<Dump> overlay_dump(std::unique_ptr<Dump> base, const std::string& path,
                                   OpenLog* log = nullptr);

}  // namespace kvmscope
