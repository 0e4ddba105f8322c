// ELF cores: a read is a look-up of where in the file the bytes are.

#include <algorithm>
#include <cstring>

#include "core/memory/elf_headers.hpp"
#include "core/memory/file_blocks.hpp"
#include "core/memory/formats.hpp"
#include "core/memory/segment_map.hpp"

namespace kvmscope {
namespace {

class ElfMemory final : public PhysReader {
 public:
  // Borrows the file.
  ElfMemory(const MappedFile& file, const std::vector<Segment>& segments)
      : blocks_(file.fd()), map_(segments, file.bytes().size()) {}

  void read(PhysAddr at, MutableBytes into) const override {
    ++counts_.reads;
    counts_.bytes += into.size();
    // Reads come in clusters: nearly always the piece of the last one serves.
    if (last_ != nullptr && at.value >= last_->start && at.value < last_->end &&
        into.size() <= last_->end - at.value) {
      copy(*last_, at, into);
      return;
    }
    read_pieces(at, into);
  }

  const SegmentMap& map() const { return map_; }
  const ReadCounts& counts() const { return counts_; }

 private:
  void copy(const Piece& piece, PhysAddr at, MutableBytes into) const {
    const std::uint64_t shift = piece.file_offset - piece.start;
    const ReadAt done = blocks_.read(shift + at.value, shift % page_size, into);
    if (done.count == into.size()) return;
    // It was in the file when that was opened.
    if (done.error == 0) throw_missing(at + done.count, Missing::truncated);
    throw_error(ErrorKind::fault, "physical address {:#x}: cannot read the dump file: {}",
                at.value + done.count, std::strerror(done.error));
  }

  void read_pieces(PhysAddr at, MutableBytes into) const {
    while (!into.empty()) {
      const Piece* piece = map_.find(at);
      if (piece == nullptr) throw_missing(at, Missing::nowhere);
      if (piece->missing) throw_missing(at, *piece->missing);
      const std::size_t count = std::min<std::uint64_t>(into.size(), piece->end - at.value);
      copy(*piece, at, into.first(count));
      last_ = piece;
      into = into.subspan(count);
      at += count;
    }
  }

  mutable FileBlocks blocks_;
  SegmentMap map_;
  mutable const Piece* last_ = nullptr;  // always one that is in the file
  mutable ReadCounts counts_;
};

class ElfDump final : public Dump {
 public:
  explicit ElfDump(std::unique_ptr<MappedFile> file)
      : file_(std::move(file)),
        headers_(read_elf_headers(file_->bytes(), file_->path())),
        memory_(*file_, headers_.segments) {}

  const PhysReader& memory() const override { return memory_; }
  std::optional<std::string> vmcoreinfo() const override { return headers_.vmcoreinfo; }
  std::string format() const override { return "ELF"; }
  std::vector<PhysRange> ranges() const override { return memory_.map().ranges(); }
  std::vector<std::string> notes() const override { return headers_.notes; }
  ReadCounts counts() const override { return memory_.counts(); }

 private:
  std::unique_ptr<MappedFile> file_;
  ElfHeaders headers_;
  ElfMemory memory_;
};

}  // namespace

std::unique_ptr<Dump> open_elf(std::unique_ptr<MappedFile> file) {
  return std::make_unique<ElfDump>(std::move(file));
}

}  // namespace kvmscope
