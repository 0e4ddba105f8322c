#include "core/memory/kdump_header.hpp"

#include <algorithm>
#include <string_view>

#include "core/base/address.hpp"
#include "core/base/error.hpp"

namespace kvmscope {
namespace {

// struct disk_dump_header of x86-64, and struct kdump_sub_header in the block after it.
struct DiskDumpHeader {
  char signature[8];
  std::int32_t header_version;
  char utsname[6][65];
  char padding[6];
  std::uint64_t timestamp[2];
  std::uint32_t status;
  std::int32_t block_size;
  std::int32_t sub_hdr_size;  // in blocks
  std::uint32_t bitmap_blocks;
  std::uint32_t max_mapnr;
  std::uint32_t rest[5];
};
static_assert(sizeof(DiskDumpHeader) == 464);

struct KdumpSubHeader {
  std::uint64_t phys_base;
  std::int32_t dump_level;
  std::int32_t split;  // since version 2
  std::uint64_t start_pfn;
  std::uint64_t end_pfn;
  std::uint64_t offset_vmcoreinfo;  // since version 3
  std::uint64_t size_vmcoreinfo;
  std::uint64_t offset_note;  // since version 4
  std::uint64_t size_note;
  std::uint64_t offset_eraseinfo;  // since version 5
  std::uint64_t size_eraseinfo;
  std::uint64_t start_pfn_64;  // since version 6
  std::uint64_t end_pfn_64;
  std::uint64_t max_mapnr_64;  // since version 6
};
static_assert(sizeof(KdumpSubHeader) == 104);

struct Codec {
  std::uint32_t flag;  // in DiskDumpHeader::status
  std::string_view name;
};
constexpr Codec codecs[] = {{0x1, "zlib"}, {0x2, "lzo"}, {0x4, "snappy"}, {0x20, "zstd"}};

std::string codec_of(std::uint32_t status) {
  for (const Codec& codec : codecs)
    if ((status & codec.flag) != 0) return std::string(codec.name);
  return "";
}

// libkdumpfile has this text too, but wants to set up address translation first.
std::optional<std::string> find_vmcoreinfo(Bytes file, const KdumpSubHeader& header) {
  const std::uint64_t offset = header.offset_vmcoreinfo;
  const std::uint64_t size = header.size_vmcoreinfo;
  if (size == 0 || offset > file.size() || file.size() - offset < size) return std::nullopt;
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + offset, size);
  return std::string(text.substr(0, text.find('\0')));
}

// libkdumpfile 0.5.1 crashes on sizes that wrap around, and allocates whatever it is told to.
bool has_sane_notes(const KdumpSubHeader& header) {
  constexpr std::uint64_t largest_size = 64ULL << 20;
  constexpr std::uint64_t largest_offset = 1ULL << 62;
  for (const std::uint64_t size : {header.size_vmcoreinfo, header.size_note, header.size_eraseinfo})
    if (size > largest_size) return false;
  for (const std::uint64_t offset :
       {header.offset_vmcoreinfo, header.offset_note, header.offset_eraseinfo})
    if (offset > largest_offset) return false;
  return true;
}

// Counts as libkdumpfile does: two bitmaps where half of the space is enough for all frames.
void find_bitmaps(Bytes file, const DiskDumpHeader& raw, const std::string& path,
                  KdumpHeader& header) {
  if (raw.sub_hdr_size < 0 || raw.bitmap_blocks == 0)
    throw_error(ErrorKind::unavailable, "{} has a damaged kdump header", path);
  // Both counts have 32 bits: no overflow.
  const std::uint64_t start = (1 + static_cast<std::uint64_t>(raw.sub_hdr_size)) * page_size;
  const std::uint64_t size = raw.bitmap_blocks * page_size;
  if (start > file.size() || file.size() - start < size)
    throw_error(ErrorKind::unavailable, "{} is truncated inside its bitmaps", path);
  if (header.frames > size * 8)
    throw_error(ErrorKind::unavailable,
                "{} has a damaged kdump header: bitmaps of {} bytes for {} pages", path, size,
                header.frames);
  const Bytes bitmaps = file.subspan(start, size);
  if (header.frames <= size * 8 / 2) {
    const std::uint64_t half = raw.bitmap_blocks / 2 * page_size;
    header.frames = std::min(header.frames, half * 8);
    header.memory_bitmap = bitmaps.first(half);
    header.dumped_bitmap = bitmaps.subspan(half, half);
  } else {
    header.dumped_bitmap = bitmaps;
  }
  header.descriptors_offset = start + size;
}

}  // namespace

KdumpHeader read_kdump_header(Bytes file, const std::string& path) {
  // Both headers have a block of their own.
  if (file.size() < 2 * page_size)
    throw_error(ErrorKind::unavailable, "{} is truncated inside its kdump headers", path);
  const auto raw = load<DiskDumpHeader>(file);
  const auto sub_header = load<KdumpSubHeader>(file, page_size);
  if (raw.block_size != static_cast<std::int32_t>(page_size))
    throw_error(ErrorKind::unavailable,
                "{} has pages of {} bytes: it is no dump of an x86-64 kernel, or damaged", path,
                raw.block_size);
  if (raw.header_version >= 2 && sub_header.split != 0)
    throw_error(ErrorKind::unavailable,
                "{} is one file of a split dump; join all of them first: "
                "makedumpfile --reassemble FILE... NEW",
                path);
  if (raw.header_version >= 3 && !has_sane_notes(sub_header))
    throw_error(ErrorKind::unavailable, "{} has a damaged kdump header", path);
  KdumpHeader header;
  header.codec = codec_of(raw.status);
  header.frames = raw.header_version >= 6 ? sub_header.max_mapnr_64 : raw.max_mapnr;
  if (raw.header_version >= 3) header.vmcoreinfo = find_vmcoreinfo(file, sub_header);
  find_bitmaps(file, raw, path, header);
  return header;
}

}  // namespace kvmscope
