// Which files were opened, how and as whom: what `info --footprint` shows.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

namespace kvmscope {

enum class OpenedFor { reading, writing, appending };
std::string_view name(OpenedFor what);

struct OpenedFile {
  std::string path;  // as it was given to open()
  OpenedFor what = OpenedFor::reading;
  uid_t user = 0;  // who we were at that time
  bool operator==(const OpenedFile&) const = default;
};

class OpenLog {
 public:
  // Call it right after opening. The same file in the same way counts once.
  void add(const std::string& path, OpenedFor what);
  // In order of opening.
  const std::vector<OpenedFile>& files() const { return files_; }

 private:
  std::vector<OpenedFile> files_;
};

}  // namespace kvmscope
