#include "commands/output/zstd_writer.hpp"

#include <zstd.h>

#include "core/base/error.hpp"

namespace kvmscope {
namespace {

// A third of the bytes of level 1, at a tenth of the time of level 9.
constexpr int level = 3;

std::size_t checked(std::size_t result) {
  if (ZSTD_isError(result) != 0)
    throw_error(ErrorKind::internal, "cannot compress: {}", ZSTD_getErrorName(result));
  return result;
}

}  // namespace

struct ZstdWriter::Context {
  ZSTD_CCtx* stream = ZSTD_createCCtx();
  Context() = default;
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() { ZSTD_freeCCtx(stream); }
};

ZstdWriter::ZstdWriter(ByteWriter& out)
    : context_(std::make_unique<Context>()), out_(out), buffer_(ZSTD_CStreamOutSize(), '\0') {
  if (context_->stream == nullptr) throw Error(ErrorKind::internal, "out of memory");
  checked(ZSTD_CCtx_setParameter(context_->stream, ZSTD_c_compressionLevel, level));
  checked(ZSTD_CCtx_setParameter(context_->stream, ZSTD_c_checksumFlag, 1));
}

ZstdWriter::~ZstdWriter() = default;

void ZstdWriter::write(std::string_view bytes) {
  ZSTD_inBuffer input = {bytes.data(), bytes.size(), 0};
  while (input.pos < input.size) {
    ZSTD_outBuffer output = {buffer_.data(), buffer_.size(), 0};
    checked(ZSTD_compressStream2(context_->stream, &output, &input, ZSTD_e_continue));
    out_.write(std::string_view(buffer_).substr(0, output.pos));
  }
}

void ZstdWriter::finish() {
  ZSTD_inBuffer nothing = {nullptr, 0, 0};
  for (std::size_t left = 1; left != 0;) {
    ZSTD_outBuffer output = {buffer_.data(), buffer_.size(), 0};
    left = checked(ZSTD_compressStream2(context_->stream, &output, &nothing, ZSTD_e_end));
    out_.write(std::string_view(buffer_).substr(0, output.pos));
  }
}

}  // namespace kvmscope
