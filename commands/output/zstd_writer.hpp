// Compresses what passes through, as zstd does.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "commands/output/output.hpp"

namespace kvmscope {

class ZstdWriter final : public ByteWriter {
 public:
  // Borrows the writer behind it. Throws Error{internal} when there is no memory for it.
  explicit ZstdWriter(ByteWriter& out);
  ~ZstdWriter() override;

  void write(std::string_view bytes) override;
  // Writes the end of the frame. Call it once, when all is written.
  void finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
  ByteWriter& out_;
  std::string buffer_;
};

}  // namespace kvmscope
