// A folder of its own in the temporary folder, with files that a test writes: a made-up /proc and
// /sys.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "core/base/bits.hpp"

namespace kvmscope {

class TemporaryTree {
 public:
  TemporaryTree() {
    std::string name = (std::filesystem::temp_directory_path() / "kvmscope-tree-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  TemporaryTree(const TemporaryTree&) = delete;
  TemporaryTree& operator=(const TemporaryTree&) = delete;
  ~TemporaryTree() { std::filesystem::remove_all(path_); }

  const std::string& path() const { return path_; }

  // Writes over what is there, so that a descriptor that is open sees it.
  void write(std::string_view file, std::string_view text) const {
    const std::filesystem::path place = std::filesystem::path(path_) / file;
    std::filesystem::create_directories(place.parent_path());
    std::ofstream(place, std::ios::binary | std::ios::trunc) << text;
  }
  void write(std::string_view file, Bytes bytes) const {
    write(file, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }

 private:
  std::string path_;
};

}  // namespace kvmscope
