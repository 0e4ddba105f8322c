// The bytes of a snapshot's file, plain or compressed, within bounds.
#pragma once

#include <cstdint>
#include <memory>
#include <streambuf>
#include <string>
#include <vector>

#include "core/base/file.hpp"

namespace kvmscope::snapshots {

inline constexpr std::uint64_t most_bytes = 1ULL << 30;  // of a document, uncompressed

class Source final : public std::streambuf {
 public:
  // `name` is for messages. Throws Error{unavailable} when it is no regular file or too large.
  Source(FileDescriptor file, std::string name);
  ~Source() override;

  // Whoever reads got somewhere: only so much may come until the next call.
  void progressed() { since_progress_ = 0; }
  // Whether somebody wanted more than there is.
  bool ended() const { return ended_; }
  const std::string& name() const { return name_; }

 protected:
  // Throws Error{unavailable} when reading fails, when compressed data are damaged or cut short,
  // and when more comes than there may be; Error{interrupted}.
  int_type underflow() override;

 private:
  struct Decompressor;
  std::size_t read_file();
  std::size_t decompress();

  FileDescriptor file_;
  std::string name_;
  std::vector<char> raw_;
  std::vector<char> plain_;
  std::unique_ptr<Decompressor> decompressor_;  // none: the file is not compressed
  bool ended_ = false;
  std::uint64_t total_ = 0;
  std::uint64_t since_progress_ = 0;
};

}  // namespace kvmscope::snapshots
