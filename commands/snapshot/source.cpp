#include "commands/snapshot/source.hpp"

#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <cerrno>
#include <cstring>

#include "core/base/error.hpp"
#include "core/base/interrupt.hpp"

namespace kvmscope::snapshots {
namespace {

constexpr std::size_t piece = 1U << 17;
constexpr std::uint64_t most_at_once = 16U << 20;  // a text or number of a snapshot is short
// ZSTD_MAGICNUMBER, as it lies in the file.
constexpr std::string_view magic = "\x28\xb5\x2f\xfd";

}  // namespace

struct Source::Decompressor {
  ZSTD_DCtx* stream = ZSTD_createDCtx();
  ZSTD_inBuffer input = {nullptr, 0, 0};
  bool frame_ended = true;
  Decompressor() = default;
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;
  ~Decompressor() { ZSTD_freeDCtx(stream); }
};

Source::Source(FileDescriptor file, std::string name)
    : file_(std::move(file)), name_(std::move(name)), raw_(piece) {
  struct stat status {};
  if (fstat(file_.get(), &status) != 0 || !S_ISREG(status.st_mode))
    throw_error(ErrorKind::unavailable, "{} is no regular file", name_);
  if (static_cast<std::uint64_t>(status.st_size) > most_bytes)
    throw_error(ErrorKind::unavailable, "{} has {} bytes, and a snapshot at most {}", name_,
                status.st_size, most_bytes);
  std::string head(magic.size(), '\0');
  const ssize_t count = pread(file_.get(), head.data(), head.size(), 0);
  if (count == static_cast<ssize_t>(magic.size()) && head == magic) {
    decompressor_ = std::make_unique<Decompressor>();
    plain_.resize(piece);
  }
}

Source::~Source() = default;

std::size_t Source::read_file() {
  for (;;) {
    check_interrupt();
    const ssize_t count = read(file_.get(), raw_.data(), raw_.size());
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR)
      throw_error(ErrorKind::unavailable, "cannot read {}: {}", name_, std::strerror(errno));
  }
}

std::size_t Source::decompress() {
  Decompressor& state = *decompressor_;
  ZSTD_outBuffer output = {plain_.data(), plain_.size(), 0};
  while (output.pos == 0) {
    if (state.input.pos == state.input.size) {
      state.input = {raw_.data(), read_file(), 0};
      if (state.input.size == 0 && state.frame_ended) return 0;
      if (state.input.size == 0)
        throw_error(ErrorKind::unavailable, "{} is cut short: its compressed data end early",
                    name_);
    }
    const std::size_t left = ZSTD_decompressStream(state.stream, &output, &state.input);
    if (ZSTD_isError(left) != 0)
      throw_error(ErrorKind::unavailable, "{} is damaged: {}", name_, ZSTD_getErrorName(left));
    state.frame_ended = left == 0;
  }
  return output.pos;
}

Source::int_type Source::underflow() {
  const std::size_t count = decompressor_ ? decompress() : read_file();
  total_ += count;
  since_progress_ += count;
  if (total_ > most_bytes)
    throw_error(ErrorKind::unavailable, "{} has more than {} bytes when uncompressed", name_,
                most_bytes);
  if (since_progress_ > most_at_once)
    throw_error(ErrorKind::unavailable, "{} is no snapshot: it holds a text of more than {} bytes",
                name_, most_at_once);
  char* data = decompressor_ ? plain_.data() : raw_.data();
  setg(data, data, data + count);
  ended_ = count == 0;
  return count == 0 ? traits_type::eof() : traits_type::to_int_type(*data);
}

}  // namespace kvmscope::snapshots
