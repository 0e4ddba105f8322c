// File descriptors and read-only mappings with an owner.
#pragma once

#include <cstdint>
#include <string>

#include "core/base/bits.hpp"

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

// Opens read-only and close-on-exec. Throws Error{unavailable} with the reason.
FileDescriptor open_read_only(const std::string& path);

// A whole file mapped read-only. Throws Error{unavailable}; an empty file maps to no bytes.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path);
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  Bytes bytes() const { return bytes_; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  Bytes bytes_;
};

}  // namespace kvmscope
