// Files that commands read or replace, opened before root is given up.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/base/error.hpp"
#include "core/base/file.hpp"
#include "core/base/open_log.hpp"
#include "core/base/replaced_file.hpp"

namespace kvmscope {

class FilesAhead {
 public:
  // The log must outlive it; nullptr: nothing is written down.
  explicit FilesAhead(OpenLog* log) : log_(log) {}

  // Opens a file now that read() or replace() will be asked for. What fails is thrown then.
  void read_later(const std::string& path);
  void replace_later(const std::string& path, mode_t mode = 0600);

  // From now on only files that were opened ahead can be replaced.
  void close_list() { list_closed_ = true; }

  // Throws Error{unavailable} when it cannot be opened.
  FileDescriptor read(const std::string& path);
  // Throws what ReplacedFile throws.
  std::unique_ptr<ReplacedFile> replace(const std::string& path, mode_t mode = 0600);

 private:
  template <typename File>
  struct Ahead {
    File file = {};
    std::unique_ptr<Error> failure = {};
  };
  FileDescriptor open(const std::string& path) const;
  std::unique_ptr<ReplacedFile> make(const std::string& path, mode_t mode) const;

  OpenLog* log_;
  bool list_closed_ = false;
  std::map<std::string, Ahead<FileDescriptor>> to_read_;
  std::map<std::string, Ahead<std::unique_ptr<ReplacedFile>>> to_replace_;
};

}  // namespace kvmscope
