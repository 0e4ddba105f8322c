#include "dwarf/places.hpp"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "dwarf/debug_file.hpp"

namespace kvmscope::dwarf {
namespace {

namespace fs = std::filesystem;

// Folders of lib/modules/RELEASE that hold kvm's modules: the kernel's own, and newer builds.
constexpr std::string_view module_folders[] = {"kernel/arch/x86/kvm", "updates", "extra"};
constexpr std::string_view vmlinux_folders[] = {"", "build"};

// Names in a folder in order; none when it cannot be read.
std::vector<std::string> list(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  fs::directory_iterator at(folder, error);
  for (; !error && at != fs::directory_iterator(); at.increment(error))
    names.push_back(at->path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

void add_file(const fs::path& file, Places& places) {
  places.looked.push_back(file);
  std::error_code error;
  if (fs::is_regular_file(file, error)) places.files.push_back(file);
}

// Files of `folder` that are the module by name, separate debug files before others.
void add_matching(const fs::path& folder, const Wanted& wanted, Places& places) {
  const bool is_vmlinux = wanted.module == "vmlinux";
  places.looked.push_back(folder / (wanted.module + (is_vmlinux ? "*" : ".ko*")));
  std::vector<fs::path> files;
  for (const std::string& name : list(folder))
    if (module_of_file(name) == wanted.module) files.push_back(folder / name);
  std::stable_partition(files.begin(), files.end(),
                        [](const fs::path& file) { return file.extension() == ".debug"; });
  std::error_code error;
  for (const fs::path& file : files)
    if (fs::is_regular_file(file, error)) places.files.push_back(file);
}

void add_by_build_id(const fs::path& folder, const Wanted& wanted, Places& places) {
  if (wanted.build_id.size() < 3) return;
  add_file(
      folder / ".build-id" / wanted.build_id.substr(0, 2) / (wanted.build_id.substr(2) + ".debug"),
      places);
}

// The release asked for, or the only one that the folder has.
std::string release_in(const fs::path& folder, const Wanted& wanted, Places& places) {
  if (!wanted.release.empty()) return wanted.release;
  const std::vector<std::string> releases = list(folder / "lib/modules");
  if (releases.size() > 1)
    places.unclear.push_back(fmt::format("{} has several kernels: name the file itself",
                                         (folder / "lib/modules").string()));
  return releases.size() == 1 ? releases.front() : "";
}

void add_by_release(const fs::path& folder, const Wanted& wanted, Places& places) {
  const std::string release = release_in(folder, wanted, places);
  if (release.empty()) return;
  const fs::path modules = folder / "lib/modules" / release;
  if (wanted.module != "vmlinux") {
    for (const std::string_view part : module_folders) add_matching(modules / part, wanted, places);
    return;
  }
  add_file(folder / "boot" / ("vmlinux-" + release + ".debug"), places);
  add_file(folder / "boot" / ("vmlinux-" + release), places);
  for (const std::string_view part : vmlinux_folders) add_matching(modules / part, wanted, places);
}

}  // namespace

void look_into(const std::string& folder, FolderKind kind, const Wanted& wanted, Places& places) {
  add_by_build_id(folder, wanted, places);
  add_by_release(folder, wanted, places);
  if (kind == FolderKind::system) return;
  add_matching(folder, wanted, places);
  // A distribution's debug package that was unpacked here.
  const fs::path unpacked = fs::path(folder) / "usr/lib/debug";
  std::error_code error;
  if (fs::is_directory(unpacked, error)) look_into(unpacked, FolderKind::system, wanted, places);
}

void add_packs(const std::string& folder, std::vector<std::string>& packs) {
  for (const std::string& name : list(folder))
    if (fs::path(name).extension() == ".pack") packs.push_back(fs::path(folder) / name);
}

}  // namespace kvmscope::dwarf
