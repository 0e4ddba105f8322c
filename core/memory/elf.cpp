// ELF cores: the file is mapped, so a read is a look-up and a copy.

#include <algorithm>
#include <cstring>

#include "core/memory/elf_headers.hpp"
#include "core/memory/formats.hpp"
#include "core/memory/segment_map.hpp"

namespace kvmscope {
namespace {

// Only bytes below the size that the file had when it was opened are touched, so nothing in
// the file can cause SIGBUS. A file that somebody shortens while it is open still would:
// no check can prevent that, and a dump is not a file that changes.
class ElfMemory final : public PhysReader {
 public:
  ElfMemory(Bytes file, const std::vector<Segment>& segments)
      : file_(file), map_(segments, file.size()) {}

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

  // Most of the time of a walk over scattered structs is the wait for the next one.
  void expect(PhysAddr at) const override {
    constexpr std::uint64_t line = 64;
    constexpr std::uint64_t size = 3 * line;
    if (last_ == nullptr || at.value < last_->start || at.value >= last_->end ||
        last_->end - at.value < size)
      return;
    const std::byte* bytes = file_.data() + last_->file_offset + (at.value - last_->start);
    for (std::uint64_t i = 0; i < size; i += line) __builtin_prefetch(bytes + i);
  }

  const SegmentMap& map() const { return map_; }
  const ReadCounts& counts() const { return counts_; }

 private:
  void copy(const Piece& piece, PhysAddr at, MutableBytes into) const {
    std::memcpy(into.data(), file_.data() + piece.file_offset + (at.value - piece.start),
                into.size());
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

  Bytes file_;
  SegmentMap map_;
  mutable const Piece* last_ = nullptr;  // always one that is in the file
  mutable ReadCounts counts_;
};

class ElfDump final : public Dump {
 public:
  explicit ElfDump(std::unique_ptr<MappedFile> file)
      : file_(std::move(file)),
        headers_(read_elf_headers(file_->bytes(), file_->path())),
        memory_(file_->bytes(), headers_.segments) {}

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
