#include "core/kernel/live_system.hpp"

#include <elf.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "core/base/error.hpp"
#include "core/types/type_modules.hpp"

namespace kvmscope {
namespace {

namespace fs = std::filesystem;

std::string path_in(const std::string& root, std::string_view name) {
  return (fs::path(root) / name).string();
}

std::string trimmed(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

std::string_view take_word(std::string_view& line) {
  const std::size_t blank = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, blank);
  line.remove_prefix(std::min(blank + 1, line.size()));
  return word;
}

template <typename Number>
Number number(std::string_view text, int base) {
  Number value{};
  if (base == 16 && text.starts_with("0x")) text.remove_prefix(2);
  std::from_chars(text.data(), text.data() + text.size(), value, base);
  return value;
}

// "kvm 1146880 1 kvm_amd, Live 0xffffffffc0a00000", kernel/module/procfs.c.
Module parse_module(std::string_view line) {
  Module module;
  module.name = take_word(line);
  module.text_size = number<std::uint64_t>(take_word(line), 10);
  take_word(line);  // references
  take_word(line);  // users
  take_word(line);  // state
  module.text = {number<std::uint64_t>(take_word(line), 16)};
  return module;
}

// The id in the first NT_GNU_BUILD_ID note of a file of notes, hex.
std::string build_id_in(std::string_view notes) {
  const Bytes bytes = std::as_bytes(std::span(notes));
  for (std::uint64_t at = 0; at + sizeof(Elf64_Nhdr) <= bytes.size();) {
    const auto note = load<Elf64_Nhdr>(bytes, at);
    const std::uint64_t name = at + sizeof note;
    const std::uint64_t text = name + align_up(note.n_namesz, 4);
    if (text + note.n_descsz > bytes.size()) return "";
    if (note.n_type == NT_GNU_BUILD_ID && notes.substr(name).starts_with("GNU")) {
      std::string id;
      for (const std::byte byte : bytes.subspan(text, note.n_descsz))
        id += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
      return id;
    }
    at = text + align_up(note.n_descsz, 4);
  }
  return "";
}

}  // namespace

LiveSystem::LiveSystem(std::string root, const std::set<std::string, std::less<>>& wanted_symbols,
                       OpenLog* log)
    : root_(std::move(root)), log_(log) {
  const std::string path = path_in(root_, "proc/modules");
  // There is none without CONFIG_MODULES.
  std::error_code error;
  if (fs::exists(path, error)) modules_file_ = open_read_only(path, log_);
  modules_ = read_modules();
  ProcKallsyms::Names loaded;
  for (const std::string_view name : kvm_modules)
    if (find_module(modules_, name) != nullptr) loaded.emplace(name);
  symbols_ =
      std::make_unique<ProcKallsyms>(path_in(root_, "proc/kallsyms"), wanted_symbols, loaded,
                                     trimmed(text_of("proc/sys/kernel/kptr_restrict")), log_);
  build_ids_.emplace("vmlinux", read_build_id("vmlinux"));
  for (const std::string& name : loaded) {
    build_ids_.emplace(name, read_build_id(name));
    load_numbers_.emplace(name, load_number(name));
  }
}

// Of a small file; empty when there is none.
std::string LiveSystem::text_of(std::string_view name) const {
  const std::string path = path_in(root_, name);
  std::error_code error;
  return fs::exists(path, error) ? read_text(path, log_) : "";
}

std::vector<Module> LiveSystem::read_modules() const {
  std::vector<Module> modules;
  if (modules_file_.get() < 0) return modules;
  FileLines lines(modules_file_.get(), path_in(root_, "proc/modules"));
  while (const std::optional<std::string_view> line = lines.next())
    modules.push_back(parse_module(*line));
  return modules;
}

std::string LiveSystem::build_id(std::string_view module) const {
  const std::string name = kernel_name(module);
  const auto known = build_ids_.find(name);
  return known != build_ids_.end() ? known->second : read_build_id(name);
}

std::string LiveSystem::read_build_id(std::string_view module) const {
  return build_id_in(text_of(module == "vmlinux"
                                 ? std::string("sys/kernel/notes")
                                 : fmt::format("sys/module/{}/notes/.note.gnu.build-id", module)));
}

// Another number each time that the module is loaded, 0 if nobody knows: sysfs makes a new folder
// for it then, and a folder's inode number is not used again (fs/kernfs/dir.c).
std::uint64_t LiveSystem::load_number(std::string_view module) const {
  struct stat status {};
  const std::string folder = path_in(root_, fmt::format("sys/module/{}", module));
  return stat(folder.c_str(), &status) == 0 ? status.st_ino : 0;
}

std::string LiveSystem::changed() const {
  symbols_->forget();
  const std::vector<Module> now = read_modules();
  for (const std::string_view name : kvm_modules) {
    const Module* then = find_module(modules_, name);
    const Module* loaded = find_module(now, name);
    if (then == nullptr && loaded == nullptr) continue;
    if (loaded == nullptr) return fmt::format("{} was unloaded", name);
    if (then == nullptr) return fmt::format("{} was loaded", name);
    if (then->text != loaded->text || load_numbers_.at(std::string(name)) != load_number(name))
      return fmt::format("{} was loaded again", name);
  }
  return "";
}

}  // namespace kvmscope
