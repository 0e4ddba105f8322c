#include "dwarf/fetching_finder.hpp"

#include <string>

#include "core/base/error.hpp"
#include "dwarf/debug_file.hpp"
#include "dwarf/debuginfod.hpp"

namespace kvmscope {
namespace {

class FetchingFinder : public DebugFinder {
 public:
  FetchingFinder(const DebugFinder& local, std::function<void(std::string_view)> progress,
                 OpenLog* log)
      : local_(local), client_(std::move(progress)), log_(log) {}

  DebugSearch find(std::string_view module, std::string_view release,
                   std::string_view build_id) const override {
    return local_.find(module, release, build_id);
  }
  LayoutSearch find_layout(const BuildIdOf& build_id_of) const override {
    return local_.find_layout(build_id_of);
  }
  const SymbolSource* system_map() const override { return local_.system_map(); }
  bool can_fetch() const override { return true; }
  DebugSearch fetch(std::string_view module, std::string_view build_id) const override;

 private:
  const DebugFinder& local_;
  mutable dwarf::DebuginfodClient client_;
  OpenLog* log_;
};

DebugSearch FetchingFinder::fetch(std::string_view /*module*/, std::string_view build_id) const {
  DebugSearch search;
  // Without the file the search goes on: what was wrong with it is told where it is missed.
  try {
    const std::string path = client_.find(std::string(build_id));
    std::unique_ptr<DebugFile> file = open_debug_file(path, log_);
    if (file->build_id() == build_id)
      search.file = std::move(file);
    else
      search.rejected.push_back(
          fmt::format("{} has build-id {}, not {}", path, file->build_id(), build_id));
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    search.rejected.emplace_back(error.what());
  }
  return search;
}

}  // namespace

std::unique_ptr<DebugFinder> make_fetching_finder(const DebugFinder& local,
                                                  std::function<void(std::string_view)> progress,
                                                  OpenLog* log) {
  return std::make_unique<FetchingFinder>(local, std::move(progress), log);
}

}  // namespace kvmscope
