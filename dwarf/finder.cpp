#include "dwarf/finder.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

#include "core/base/error.hpp"
#include "core/base/file.hpp"
#include "core/types/pack.hpp"
#include "dwarf/debug_file.hpp"
#include "dwarf/places.hpp"
#include "dwarf/system_map.hpp"

namespace kvmscope {
namespace {

namespace fs = std::filesystem;
using dwarf::Places;
using dwarf::Wanted;

class PathFinder : public DebugFinder {
 public:
  PathFinder(std::vector<std::string> symbol_paths, std::string system_root, OpenLog* log,
             std::string fields);

  LayoutSearch find_layout(const BuildIdOf& build_id_of) const override;

  DebugSearch find(std::string_view module, std::string_view release,
                   std::string_view build_id) const override;
  const SymbolSource* system_map() const override { return system_map_.get(); }

 private:
  void look_at_file(const std::string& path, const Wanted& wanted, Places& places) const;
  Places places_of(const Wanted& wanted) const;

  void sort_out(std::string path);
  void try_pack(const std::string& path, const BuildIdOf& build_id_of, LayoutSearch& search) const;

  std::vector<std::string> paths_;  // of -s, without System.map and packs
  std::vector<std::string> packs_;  // that were named
  fs::path system_root_;
  OpenLog* log_;
  std::string fields_;  // that a pack has to have
  std::unique_ptr<dwarf::SystemMap> system_map_;
};

bool looks_like_map(const fs::path& path) {
  return path.filename().string().starts_with("System.map");
}

bool is_pack(const std::string& path) {
  if (fs::path(path).extension() == ".pack") return true;
  std::ifstream file(path, std::ios::binary);
  std::array<char, 16> start{};
  file.read(start.data(), start.size());
  return looks_like_pack({start.data(), static_cast<std::size_t>(file.gcount())});
}

PathFinder::PathFinder(std::vector<std::string> symbol_paths, std::string system_root, OpenLog* log,
                       std::string fields)
    : system_root_(std::move(system_root)), log_(log), fields_(std::move(fields)) {
  for (std::string& path : symbol_paths) sort_out(std::move(path));
}

void PathFinder::sort_out(std::string path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status))
    throw_error(ErrorKind::unavailable, "cannot open {}: {}", path, error.message());
  if (fs::is_directory(status))
    paths_.push_back(std::move(path));
  else if (is_pack(path))
    packs_.push_back(std::move(path));
  else if (looks_like_map(path) || dwarf::is_system_map(path, log_))
    system_map_ = std::make_unique<dwarf::SystemMap>(path, log_);
  else
    paths_.push_back(std::move(path));
}

// One that is damaged must not hide a good one behind it.
void PathFinder::try_pack(const std::string& path, const BuildIdOf& build_id_of,
                          LayoutSearch& search) const {
  try {
    auto layout = pack_layout(read_pack(path, fields_, log_), "the layout pack " + path);
    std::string mismatch = build_mismatch(*layout, build_id_of);
    if (mismatch.empty())
      search.layout = std::move(layout);
    else
      search.rejected.push_back(std::move(mismatch));
  } catch (const Error& error) {
    search.rejected.emplace_back(error.what());
  }
}

LayoutSearch PathFinder::find_layout(const BuildIdOf& build_id_of) const {
  std::vector<std::string> packs = packs_;
  for (const std::string& path : paths_) dwarf::add_packs(path, packs);
  LayoutSearch search;
  for (const std::string& path : packs)
    if (search.layout == nullptr) try_pack(path, build_id_of, search);
  return search;
}

// A file that the user chose counts when its name fits. One with a name of its own counts too:
// the build-id decides, see fits().
void PathFinder::look_at_file(const std::string& path, const Wanted& wanted, Places& places) const {
  const std::string module = module_of_file(path);
  if (!module.empty() && module != wanted.module) return;
  places.looked.push_back(path);
  places.files.push_back(path);
}

Places PathFinder::places_of(const Wanted& wanted) const {
  Places places;
  for (const std::string& path : paths_) {
    std::error_code error;
    if (fs::is_directory(path, error))
      look_into(path, dwarf::FolderKind::chosen, wanted, places);
    else
      look_at_file(path, wanted, places);
  }
  if (!paths_.empty() && wanted.build_id.empty()) return places;
  look_into(system_root_ / "usr/lib/debug", dwarf::FolderKind::system, wanted, places);
  look_into(system_root_, dwarf::FolderKind::system, wanted, places);
  return places;
}

// Whether the file is of the build asked for; if not, `rejected` says why.
bool fits(const DebugFile& file, const Wanted& wanted, std::vector<std::string>& rejected) {
  if (!wanted.build_id.empty()) {
    if (file.build_id() == wanted.build_id) return true;
    rejected.push_back(
        file.build_id().empty()
            ? fmt::format("{} has no build-id, the target's is {}", file.path(), wanted.build_id)
            : fmt::format("{} has build-id {}, the target's is {}", file.path(), file.build_id(),
                          wanted.build_id));
    return false;
  }
  if (!module_of_file(file.path()).empty()) return true;
  if (wanted.module == "vmlinux" && file.symbols().find("init_task")) return true;
  rejected.push_back(fmt::format("{} does not look like {}", file.path(), wanted.module));
  return false;
}

DebugSearch PathFinder::find(std::string_view module, std::string_view release,
                             std::string_view build_id) const {
  Wanted wanted{std::string(module), std::string(release), std::string(build_id)};
  std::replace(wanted.module.begin(), wanted.module.end(), '_', '-');
  Places places = places_of(wanted);
  DebugSearch search;
  search.tried = std::move(places.looked);
  search.rejected = std::move(places.unclear);
  for (const std::string& path : places.files) {
    // One file that is damaged must not hide a good one behind it.
    try {
      std::unique_ptr<DebugFile> file = open_debug_file(path, log_);
      const bool is_better = !search.file || file->has_types();
      if (!is_better || !fits(*file, wanted, search.rejected)) continue;
      search.file = std::move(file);
      if (search.file->has_types()) break;
    } catch (const Error& error) {
      search.rejected.emplace_back(error.what());
    }
  }
  return search;
}

}  // namespace

std::unique_ptr<DebugFinder> make_debug_finder(std::vector<std::string> symbol_paths,
                                               std::string system_root, OpenLog* log,
                                               std::string fields) {
  return std::make_unique<PathFinder>(std::move(symbol_paths), std::move(system_root), log,
                                      std::move(fields));
}

}  // namespace kvmscope
