#include "dwarf/debuginfod.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

#include "core/base/error.hpp"
#include "core/base/file.hpp"
#include "core/base/interrupt.hpp"

// Of <elfutils/debuginfod.h>, which only libdebuginfod-dev has.
extern "C" {
struct debuginfod_client;
}

namespace kvmscope::dwarf {
namespace {

using Begin = debuginfod_client*();
using End = void(debuginfod_client*);
// `length` 0: the id is a hex string. Returns a descriptor of the file, or -errno.
using FindDebuginfo = int(debuginfod_client*, const unsigned char* build_id, int length,
                          char** path);
// `done` of `total`, in bytes or other steps. Anything but 0 ends the transfer.
using Progress = int(debuginfod_client*, long done, long total);
using SetProgress = void(debuginfod_client*, Progress*);
using SetUserData = void(debuginfod_client*, void*);
using GetUserData = void*(debuginfod_client*);

constexpr const char* library_name = "libdebuginfod.so.1";

}  // namespace

// The loaded library with one client; in this order they go.
class DebuginfodClient::Library {
 public:
  explicit Library(const std::function<void(std::string_view)>& progress)
      // Global, so that on_progress() finds a function by its name alone.
      : handle_(dlopen(library_name, RTLD_NOW | RTLD_GLOBAL)), progress_(progress) {
    if (!handle_)
      throw_error(ErrorKind::unavailable,
                  "debuginfod cannot be asked: {} is not installed (package libdebuginfod1 on "
                  "Debian and Ubuntu, elfutils-debuginfod-client on Fedora and RHEL)",
                  library_name);
    client_ = {function<Begin>("debuginfod_begin")(), function<End>("debuginfod_end")};
    if (!client_) throw Error(ErrorKind::unavailable, "libdebuginfod cannot be started");
    function<SetUserData>("debuginfod_set_user_data")(client_.get(), this);
    function<SetProgress>("debuginfod_set_progressfn")(client_.get(), on_progress);
  }

  std::string find(const std::string& build_id) {
    char* path = nullptr;
    const auto* id = reinterpret_cast<const unsigned char*>(build_id.c_str());
    const int result =
        function<FindDebuginfo>("debuginfod_find_debuginfo")(client_.get(), id, 0, &path);
    const std::unique_ptr<char, decltype(&std::free)> owner(path, std::free);
    const FileDescriptor file(std::max(result, -1));
    check_interrupt();
    if (result < 0) fail(build_id, -result);
    return path;
  }

 private:
  struct Close {
    void operator()(void* handle) const { dlclose(handle); }
  };

  template <typename Function>
  Function* function(const char* name) const {
    void* found = dlsym(handle_.get(), name);
    if (found == nullptr)
      throw_error(ErrorKind::unavailable, "{} has no function {}: it is too old", library_name,
                  name);
    return reinterpret_cast<Function*>(found);
  }

  // Called from C, where nothing may be thrown.
  static int on_progress(debuginfod_client* client, long done, long total) noexcept;

  [[noreturn]] static void fail(const std::string& build_id, int error) {
    const char* urls = std::getenv("DEBUGINFOD_URLS");
    if (urls == nullptr || *urls == '\0')
      throw Error(ErrorKind::unavailable,
                  "debuginfod cannot be asked: DEBUGINFOD_URLS names no server (Debian's is "
                  "https://debuginfod.debian.net)");
    if (error == ENOENT)
      throw_error(ErrorKind::unavailable, "no server of {} has build-id {}", urls, build_id);
    throw_error(ErrorKind::unavailable, "asking {} for build-id {} failed: {}", urls, build_id,
                std::strerror(error));
  }

  std::unique_ptr<void, Close> handle_;
  const std::function<void(std::string_view)>& progress_;
  std::unique_ptr<debuginfod_client, End*> client_{nullptr, nullptr};
};

int DebuginfodClient::Library::on_progress(debuginfod_client* client, long done,
                                           long total) noexcept {
  if (interrupted()) return 1;
  void* get = dlsym(RTLD_DEFAULT, "debuginfod_get_user_data");
  const auto* self = static_cast<Library*>(reinterpret_cast<GetUserData*>(get)(client));
  // Until the answer begins there is no total, and `done` counts attempts.
  if (self->progress_ && total > 0)
    self->progress_(fmt::format("debuginfod: {} of {} MB", done >> 20, total >> 20));
  else if (self->progress_)
    self->progress_("asking debuginfod");
  return 0;
}

DebuginfodClient::DebuginfodClient(std::function<void(std::string_view)> progress)
    : progress_(std::move(progress)) {}

DebuginfodClient::~DebuginfodClient() = default;

std::string DebuginfodClient::find(const std::string& build_id) {
  if (!library_) library_ = std::make_unique<Library>(progress_);
  return library_->find(build_id);
}

}  // namespace kvmscope::dwarf
