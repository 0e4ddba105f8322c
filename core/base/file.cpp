#include "core/base/file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/base/error.hpp"
#include "core/base/interrupt.hpp"

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

FileDescriptor open_read_only(const std::string& path, OpenLog* log) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw_error(ErrorKind::unavailable, "cannot open {}: {}", path, std::strerror(errno));
  if (log != nullptr) log->add(path, OpenedFor::reading);
  return FileDescriptor(fd);
}

namespace {

constexpr std::size_t first_buffer = 1U << 16;

// At least one byte, or 0 at the end.
std::size_t read_some(int fd, char* into, std::size_t size, const std::string& path) {
  for (;;) {
    const ssize_t count = read(fd, into, size);
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR)
      throw_error(ErrorKind::unavailable, "cannot read {}: {}", path, std::strerror(errno));
    check_interrupt();
  }
}

}  // namespace

FileLines::FileLines(int fd, std::string path)
    : fd_(fd), path_(std::move(path)), buffer_(first_buffer) {
  if (lseek(fd_, 0, SEEK_SET) != 0)
    throw_error(ErrorKind::unavailable, "cannot read {} again: {}", path_, std::strerror(errno));
}

// Reads behind the line that has begun; false at the end of the file.
bool FileLines::fill() {
  check_interrupt();
  if (start_ != 0) {
    std::memmove(buffer_.data(), buffer_.data() + start_, end_ - start_);
    end_ -= start_;
    start_ = 0;
  }
  if (end_ == buffer_.size()) buffer_.resize(2 * buffer_.size());
  const std::size_t count = read_some(fd_, buffer_.data() + end_, buffer_.size() - end_, path_);
  end_ += count;
  return count != 0;
}

std::optional<std::string_view> FileLines::next() {
  std::size_t searched = 0;
  for (;;) {
    const char* from = buffer_.data() + start_ + searched;
    const std::size_t size = end_ - start_ - searched;
    if (const void* end = size != 0 ? std::memchr(from, '\n', size) : nullptr) {
      const char* line = buffer_.data() + start_;
      const auto length = static_cast<std::size_t>(static_cast<const char*>(end) - line);
      start_ += length + 1;
      return std::string_view(line, length);
    }
    searched = end_ - start_;
    if (fill()) continue;
    if (searched == 0) return std::nullopt;
    start_ = end_;
    return std::string_view(buffer_.data(), searched);
  }
}

std::string read_text(const std::string& path, OpenLog* log, std::size_t limit) {
  return read_text(open_read_only(path, log).get(), path, limit);
}

std::string read_text(int fd, const std::string& path, std::size_t limit) {
  std::string text(limit, '\0');
  std::size_t done = 0;
  while (done < limit) {
    const std::size_t count = read_some(fd, text.data() + done, limit - done, path);
    if (count == 0) break;
    done += count;
  }
  text.resize(done);
  return text;
}

ReadAt read_at(int fd, std::uint64_t offset, MutableBytes into) {
  ReadAt done;
  while (done.count < into.size()) {
    const MutableBytes rest = into.subspan(done.count);
    ++done.calls;
    const ssize_t count =
        pread(fd, rest.data(), rest.size(), static_cast<off_t>(offset + done.count));
    if (count < 0 && errno == EINTR) {
      check_interrupt();
      continue;
    }
    if (count <= 0) {
      done.error = count < 0 ? errno : 0;
      break;
    }
    done.count += static_cast<std::size_t>(count);
  }
  return done;
}

MappedFile::MappedFile(const std::string& path, OpenLog* log)
    : path_(path), fd_(open_read_only(path, log)) {
  struct stat status {};
  if (fstat(fd_.get(), &status) != 0)
    throw_error(ErrorKind::unavailable, "cannot stat {}: {}", path, std::strerror(errno));
  if (!S_ISREG(status.st_mode))
    throw_error(ErrorKind::unavailable, "{} is not a regular file", path);
  if (status.st_size == 0) return;
  const auto size = static_cast<std::size_t>(status.st_size);
  void* data = mmap(nullptr, size, PROT_READ, MAP_SHARED, fd_.get(), 0);
  if (data == MAP_FAILED)
    throw_error(ErrorKind::unavailable, "cannot map {}: {}", path, std::strerror(errno));
  bytes_ = {static_cast<const std::byte*>(data), size};
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace kvmscope
