// File descriptors and read-only mappings with an owner.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bits.hpp"
#include "core/base/open_log.hpp"

namespace kvmscope {

// Owns a descriptor; -1 is none.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.release()) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor();

  int get() const { return fd_; }
  int release();

 private:
  int fd_ = -1;
};

// Opens read-only and close-on-exec, and writes that down in `log`. Throws Error{unavailable} with
// the reason.
FileDescriptor open_read_only(const std::string& path, OpenLog* log = nullptr);

// The lines of a file from its start, read piece by piece: for /proc, whose files are as long as
// they are read, and can be read again through the same descriptor.
class FileLines {
 public:
  // Borrows the descriptor and moves its offset; `path` is for messages.
  FileLines(int fd, std::string path);
  // Without its line end, valid until the next call; none at the end. Throws Error{unavailable},
  // Error{interrupted}.
  std::optional<std::string_view> next();

 private:
  bool fill();

  int fd_;
  std::string path_;
  std::vector<char> buffer_;
  std::size_t start_ = 0;  // of the line that comes next
  std::size_t end_ = 0;    // of what was read
};

// All of a small file, at most `limit` bytes. Throws Error{unavailable}.
std::string read_text(const std::string& path, OpenLog* log = nullptr, std::size_t limit = 1 << 20);
// Of one that is open, from where it stands; `path` is for messages.
std::string read_text(int fd, const std::string& path, std::size_t limit = 1 << 20);

// A whole file mapped read-only. Throws Error{unavailable}; an empty file maps to no bytes.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path, OpenLog* log = nullptr);
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  Bytes bytes() const { return bytes_; }
  // For reads with a system call, which fail where a mapping would end in SIGBUS.
  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  FileDescriptor fd_;
  Bytes bytes_;
};

// How far a read came, and the errno that ended it before its end; 0: the file ended.
struct ReadAt {
  std::size_t count = 0;
  int error = 0;
  std::uint64_t calls = 0;  // system calls that it took
};
// From `offset` on, in as many system calls as it takes. Throws Error{interrupted}.
ReadAt read_at(int fd, std::uint64_t offset, MutableBytes into);

}  // namespace kvmscope
