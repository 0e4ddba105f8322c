// Asks debuginfod servers for debug files, through libdebuginfod, which is loaded when first
// needed.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace kvmscope::dwarf {

class DebuginfodClient {
 public:
  // `progress` is told now and then while a file comes; it may be empty.
  explicit DebuginfodClient(std::function<void(std::string_view)> progress);
  DebuginfodClient(const DebuginfodClient&) = delete;
  DebuginfodClient& operator=(const DebuginfodClient&) = delete;
  ~DebuginfodClient();

  // The path, in libdebuginfod's cache, of the debug file with this build-id (lower-case hex). Asks
  // the servers of DEBUGINFOD_URLS unless the cache has it. Throws Error{unavailable} that says
  // what to do, Error{interrupted} on Ctrl-C.
  std::string find(const std::string& build_id);

 private:
  class Library;
  std::function<void(std::string_view)> progress_;
  std::unique_ptr<Library> library_;
};

}  // namespace kvmscope::dwarf
