#include "commands/output/output.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/base/error.hpp"
#include "core/base/interrupt.hpp"

namespace kvmscope {
namespace {

constexpr std::size_t buffer_size = 1U << 16;

}  // namespace

void Output::hold(std::size_t lines, std::function<int()> open) {
  held_lines_ = lines;
  open_ = std::move(open);
}

void Output::end_hold() {
  const std::function<int()> open = std::move(open_);
  open_ = nullptr;
  const int fd = open();
  if (fd >= 0) fd_ = fd;
}

void Output::release() {
  open_ = nullptr;
  flush();
}

void Output::write(std::string_view bytes) {
  if (failed_) return;
  buffer_ += bytes;
  if (open_) {
    const auto lines = static_cast<std::size_t>(std::count(bytes.begin(), bytes.end(), '\n'));
    if (lines <= held_lines_) {
      held_lines_ -= lines;
      return;
    }
    end_hold();
  }
  if (fd_ >= 0 && buffer_.size() >= buffer_size) drain();
}

void Output::flush() {
  if (fd_ >= 0 && !open_ && !buffer_.empty()) drain();
}

void Output::drain() {
  if (before_write_) before_write_();
  std::size_t done = 0;
  while (done < buffer_.size()) {
    const ssize_t count = ::write(fd_, buffer_.data() + done, buffer_.size() - done);
    if (count >= 0) {
      done += static_cast<std::size_t>(count);
      continue;
    }
    const int reason = errno;
    if (reason == EINTR) {
      if (!interrupted() || on_failure_ == OnFailure::ignore) continue;
      // The bytes that are left stay for the end of the stream.
      buffer_.erase(0, done);
      check_interrupt();
    }
    if (reason == EAGAIN) {
      // Somebody else made the descriptor non-blocking; a shared pipe can be so.
      struct pollfd wait = {fd_, POLLOUT, 0};
      poll(&wait, 1, -1);
      continue;
    }
    return fail(reason);
  }
  buffer_.clear();
}

void Output::fail(int reason) {
  failed_ = true;
  buffer_.clear();
  reader_gone_ = reason == EPIPE;
  if (on_failure_ == OnFailure::ignore) return;
  if (reader_gone_) throw Error(ErrorKind::interrupted, "nobody reads the output any more");
  throw_error(ErrorKind::internal, "cannot write the output: {}", std::strerror(reason));
}

}  // namespace kvmscope
