#include "commands/shell/layout_cache.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "commands/output/output.hpp"
#include "commands/shell/caught.hpp"
#include "commands/shell/user_folder.hpp"
#include "core/base/replaced_file.hpp"

namespace kvmscope {
namespace {

constexpr std::size_t longest_build_id = 128;
constexpr mode_t owner_only = 0700;
constexpr mode_t others_write = S_IWGRP | S_IWOTH;

// It becomes the name of a file, and the target says what it is.
bool is_build_id(std::string_view text) {
  return !text.empty() && text.size() <= longest_build_id &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isxdigit(c); });
}

bool can_be_trusted(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
         (status.st_uid == 0 || status.st_uid == geteuid()) && (status.st_mode & others_write) == 0;
}

// Whether nobody but root chooses what the names in the first of the folders that is there mean.
bool is_roots_alone(std::filesystem::path folder) {
  struct stat status {};
  while (stat(folder.c_str(), &status) != 0 && folder.has_relative_path())
    folder = folder.parent_path();
  return S_ISDIR(status.st_mode) && status.st_uid == 0 && (status.st_mode & others_write) == 0;
}

class CachingFinder : public DebugFinder {
 public:
  CachingFinder(const DebugFinder& local, const LayoutCache& cache)
      : local_(local), cache_(cache) {}

  LayoutSearch find_layout(const BuildIdOf& build_id_of) const override {
    LayoutSearch search = local_.find_layout(build_id_of);
    if (search.layout != nullptr) return search;
    std::shared_ptr<LayoutSource> kept = cache_.find(build_id_of("vmlinux"));
    if (kept != nullptr && build_mismatch(*kept, build_id_of).empty())
      search.layout = std::move(kept);
    return search;
  }
  DebugSearch find(std::string_view module, std::string_view release,
                   std::string_view build_id) const override {
    return local_.find(module, release, build_id);
  }
  bool can_fetch() const override { return local_.can_fetch(); }
  DebugSearch fetch(std::string_view module, std::string_view build_id) const override {
    return local_.fetch(module, build_id);
  }
  const SymbolSource* system_map() const override { return local_.system_map(); }

 private:
  const DebugFinder& local_;
  const LayoutCache& cache_;
};

}  // namespace

std::string layout_cache_folder() {
  if (const std::string cache = user_folder("XDG_CACHE_HOME"); !cache.empty())
    return cache + "/kvmscope/layouts";
  const std::string home = user_folder("HOME");
  return home.empty() ? "" : home + "/.cache/kvmscope/layouts";
}

LayoutCache::LayoutCache(std::string folder, std::string fields, OpenLog* log)
    : folder_(std::move(folder)), fields_(std::move(fields)), log_(log) {}

std::string LayoutCache::path_of(std::string_view build_id) const {
  return fmt::format("{}/{}.pack", folder_, build_id);
}

std::shared_ptr<LayoutSource> LayoutCache::find(std::string_view vmlinux_build_id) const {
  if (folder_.empty() || !is_build_id(vmlinux_build_id)) return nullptr;
  const std::string path = path_of(vmlinux_build_id);
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (file.get() < 0 || !can_be_trusted(file.get())) return nullptr;
  if (log_ != nullptr) log_->add(path, OpenedFor::reading);
  std::shared_ptr<LayoutSource> found;
  caught([&] {
    found = pack_layout(read_pack(file.get(), path, fields_), "the cached layout " + path, true);
  });
  return found;
}

bool LayoutCache::make_folder() const {
  if (folder_.empty()) return false;
  std::error_code error;
  const std::filesystem::path own = std::filesystem::path(folder_).parent_path();
  // It may be in a folder that sudo took over from the user, who could lead root anywhere.
  if (geteuid() == 0 && !is_roots_alone(own.parent_path())) return false;
  std::filesystem::create_directories(own.parent_path(), error);
  mkdir(own.c_str(), owner_only);
  mkdir(folder_.c_str(), owner_only);
  struct stat status {};
  return lstat(folder_.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
         status.st_uid == geteuid() && (status.st_mode & others_write) == 0;
}

void LayoutCache::keep(const LayoutPack& pack) const {
  const auto build_id = pack.build_ids.find("vmlinux");
  if (build_id == pack.build_ids.end() || !is_build_id(build_id->second)) return;
  caught([&] {
    if (!make_folder()) return;
    ReplacedFile file(path_of(build_id->second));
    if (log_ != nullptr) log_->add(file.path(), OpenedFor::writing);
    Output out(file.fd());
    out.write(format_pack(pack));
    out.flush();
    file.commit();
  });
}

std::unique_ptr<DebugFinder> make_caching_finder(const DebugFinder& local,
                                                 const LayoutCache& cache) {
  return std::make_unique<CachingFinder>(local, cache);
}

}  // namespace kvmscope
