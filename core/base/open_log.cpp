#include "core/base/open_log.hpp"

#include <unistd.h>

#include <algorithm>

namespace kvmscope {

std::string_view name(OpenedFor what) {
  switch (what) {
    case OpenedFor::reading: return "read";
    case OpenedFor::writing: return "write";
    case OpenedFor::appending: return "append";
  }
  return "";
}

void OpenLog::add(const std::string& path, OpenedFor what) {
  OpenedFile file{path, what, geteuid()};
  if (std::find(files_.begin(), files_.end(), file) == files_.end())
    files_.push_back(std::move(file));
}

}  // namespace kvmscope
