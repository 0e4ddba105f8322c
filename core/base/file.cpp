#include "core/base/file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/base/error.hpp"

namespace kvmscope {

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) close(fd_);
}

int FileDescriptor::release() {
  return std::exchange(fd_, -1);
}

FileDescriptor open_read_only(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw_error(ErrorKind::unavailable, "cannot open {}: {}", path, std::strerror(errno));
  return FileDescriptor(fd);
}

MappedFile::MappedFile(const std::string& path) : path_(path) {
  const FileDescriptor fd = open_read_only(path);
  struct stat status {};
  if (fstat(fd.get(), &status) != 0)
    throw_error(ErrorKind::unavailable, "cannot stat {}: {}", path, std::strerror(errno));
  if (!S_ISREG(status.st_mode))
    throw_error(ErrorKind::unavailable, "{} is not a regular file", path);
  if (status.st_size == 0) return;
  const auto size = static_cast<std::size_t>(status.st_size);
  void* data = mmap(nullptr, size, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (data == MAP_FAILED)
    throw_error(ErrorKind::unavailable, "cannot map {}: {}", path, std::strerror(errno));
  bytes_ = {static_cast<const std::byte*>(data), size};
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace kvmscope
