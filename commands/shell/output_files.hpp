// The files that results are sent to with > and >>.
#pragma once

#include <map>
#include <string>

#include "core/base/file.hpp"
#include "core/base/open_log.hpp"

namespace kvmscope {

class OutputFiles {
 public:
  // The log must outlive it; nullptr: nothing is written down.
  explicit OutputFiles(OpenLog* log) : log_(log) {}

  // Opens a file now that open() will be asked for when nothing can be opened for writing any more.
  // It is made if need be, and keeps what is in it until then. Whether that went well shows then.
  void open_ahead(const std::string& path);
  // From now on there are only the files that were opened ahead.
  void close_list() { list_closed_ = true; }
  bool list_closed() const { return list_closed_; }

  // Emptied, or at its end; made if need be. Throws Error{usage} that says what to do.
  FileDescriptor open(const std::string& path, bool append);

 private:
  FileDescriptor reopen(const std::string& path, int fd, bool append) const;

  OpenLog* log_;
  std::map<std::string, FileDescriptor> ahead_;
  bool list_closed_ = false;
};

}  // namespace kvmscope
