#include "core/base/error.hpp"

namespace kvmscope {

int exit_status(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage: return 2;
    case ErrorKind::unavailable: return 3;
    case ErrorKind::fault: return 4;
    case ErrorKind::corrupt: return 5;
    case ErrorKind::torn: return 4;
    case ErrorKind::limit: return 4;
    case ErrorKind::internal: return 70;
    case ErrorKind::interrupted: return 130;
  }
  return 70;
}

Error::Error(ErrorKind kind, std::string message)
    : kind_(kind), message_(std::move(message)), full_(message_) {}

void Error::add_context(std::string line) {
  context_.push_back(std::move(line));
  full_ = message_;
  for (std::size_t i = 0; i < context_.size(); ++i)
    full_ += fmt::format("{}{}", i == 0 ? " (" : ", ", context_[i]);
  full_ += ')';
}

}  // namespace kvmscope
