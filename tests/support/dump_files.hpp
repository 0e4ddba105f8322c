// Dump files for tests, built from a few named facts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bits.hpp"

namespace kvmscope {

using FileBytes = std::vector<std::byte>;

// A file of its own name in the temporary folder, removed with this object.
class TemporaryFile {
 public:
  explicit TemporaryFile(Bytes content);
  explicit TemporaryFile(std::string_view text);
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile();

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// `size` bytes of the value `fill`.
FileBytes filled(std::byte fill, std::size_t size);

// An ELF core as QEMU or the kernel writes it.
struct ElfFile {
  struct Segment {
    std::uint64_t physical = 0;
    FileBytes bytes;
    std::uint64_t memory_bytes = 0;  // p_memsz; 0: as many as are in the file
    std::uint64_t virtual_address = 0;
  };

  std::uint16_t type = 4;      // ET_CORE
  std::uint16_t machine = 62;  // EM_X86_64
  // As QEMU 7.2 does: a section header at 64, the program headers at 192.
  bool section_header_first = false;
  // The number of program headers is in the section header, as for 65535 or more of them.
  bool extended_numbering = false;
  std::optional<std::string> vmcoreinfo = {};
  std::vector<Segment> segments = {};

  FileBytes build() const;
  // Where the bytes of the first segment start in the file.
  std::size_t data_offset() const;
};

// A kdump-compressed file, header version 6, as makedumpfile writes it.
struct KdumpFile {
  enum class Storage { zlib, plain };
  struct Page {
    FileBytes bytes;  // one page
    Storage storage = Storage::zlib;
  };

  std::uint64_t frames = 64;            // the highest frame number + 1
  std::set<std::uint64_t> memory;       // frames of the first bitmap; all in `pages` are added
  std::map<std::uint64_t, Page> pages;  // frames of the second bitmap
  std::uint32_t status = 1;             // 1: zlib
  std::optional<std::string> vmcoreinfo;
  bool split = false;
  // Like QEMU's: of the utsname only the machine is known.
  bool machine_only = false;

  FileBytes build() const;
  // Where things are in the file.
  std::size_t bitmaps_offset() const;
  std::size_t descriptors_offset() const;
  std::size_t data_offset() const;
};

// Puts `value` at `offset` of a file, for planting damage.
template <typename T>
void put(FileBytes& file, std::size_t offset, const T& value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  if (file.size() < offset + bytes.size()) file.resize(offset + bytes.size());
  std::copy(bytes.begin(), bytes.end(), file.begin() + static_cast<std::ptrdiff_t>(offset));
}

}  // namespace kvmscope
