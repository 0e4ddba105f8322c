// -f raw: the bytes of memory that records hold, as they are, for a file or another program.

#include <algorithm>
#include <charconv>

#include "commands/output/make.hpp"
#include "core/base/error.hpp"

namespace kvmscope {
namespace {

constexpr std::string_view bytes_field = "bytes";

// Pairs of hex digits, as commands write them themselves.
std::string decoded(std::string_view digits) {
  std::string bytes;
  bytes.reserve(digits.size() / 2);
  for (std::size_t at = 0; at + 1 < digits.size(); at += 2) {
    unsigned byte = 0;
    std::from_chars(digits.data() + at, digits.data() + at + 2, byte, 16);
    bytes += static_cast<char>(byte);
  }
  return bytes;
}

class Raw : public Renderer {
 public:
  using Renderer::Renderer;

  // A hole would move all that follows it to another place, so the stream ends there.
  void record(Record record, std::optional<bool>) override {
    show_notes(record);
    const RecordView view = view_of(record);
    if (view.is_lost(bytes_field))
      throw_error(ErrorKind::fault, "the bytes end here: {}", view.text(bytes_field));
    out_.write(decoded(view.text(bytes_field)));
  }
};

}  // namespace

RendererPtr make_raw(const RenderJob& job, Output& out, Messages& messages) {
  const bool has_bytes = std::any_of(job.columns.begin(), job.columns.end(),
                                     [](const Column& one) { return one.name == bytes_field; });
  if (!has_bytes)
    throw_error(ErrorKind::usage,
                "these records have no bytes to write as they are: `read` and `guest read` do");
  if (job.terminal)
    throw_error(
        ErrorKind::usage,
        "raw bytes would confuse a terminal: send them to a file (> FILE) or a program (|)");
  return std::make_unique<Raw>(job, out, messages);
}

}  // namespace kvmscope
