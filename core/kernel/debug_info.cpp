#include "core/kernel/debug_info.hpp"

#include <algorithm>
#include <utility>

#include "core/base/error.hpp"
#include "core/types/type_modules.hpp"

namespace kvmscope {
namespace {

// Types made here, not read from a file.
class BuiltinTypes : public TypeSource {
 public:
  BuiltinTypes() {
    byte_ = {.kind = TypeKind::integer, .name = "unsigned char", .size = 1};
    pointer_ = {.kind = TypeKind::pointer, .name = "", .size = 8};
    slots_ = {.kind = TypeKind::array, .name = "", .size = 64 * 8, .target = pointer_, .count = 64};
    // include/linux/xarray.h, the same since v4.20; 64 slots without CONFIG_BASE_SMALL.
    node_ = {.kind = TypeKind::structure,
             .name = "xa_node",
             .size = 576,
             .members = {{"shift", byte_, 0},
                         {"offset", byte_, 8},
                         {"count", byte_, 16},
                         {"slots", slots_, 40 * 8}}};
  }
  const Type* find(TypeKind kind, std::string_view name) const override {
    return kind == TypeKind::structure && name == node_.name ? &node_ : nullptr;
  }
  std::vector<std::string> names(TypeKind, std::string_view, std::size_t) const override {
    return {};
  }

 private:
  Type byte_, pointer_, slots_, node_;
};

}  // namespace

const TypeSource& builtin_types() {
  static const BuiltinTypes types;
  return types;
}

DebugInfo::DebugInfo(const DebugFinder& finder, std::string release, BuildIdOf build_id_of)
    : finder_(finder), release_(std::move(release)), build_id_of_(std::move(build_id_of)) {
  for (const std::string_view module : type_modules) {
    types_.add(std::string(module), [this, module] { return file_types(module); });
    layout_types_.add(std::string(module), [this, module] {
      return layout() != nullptr ? layout()->types(module) : file_types(module);
    });
  }
  types_.add("built-in", [] { return &builtin_types(); });
  layout_types_.add("built-in", [] { return &builtin_types(); });
  types_.explain_lack([this] { return lack_of_files(); });
}

// A layout stands in for debug files everywhere but in expressions.
std::string DebugInfo::lack_of_files() const {
  const auto has_types = [](const auto& search) {
    return search.second.file != nullptr && search.second.file->has_types();
  };
  if (layout() == nullptr || btf_ != nullptr ||
      std::any_of(searches_.begin(), searches_.end(), has_types))
    return "";
  return fmt::format(
      "; {} holds only what kvmscope's own commands read: give kvm.ko with debug info, or its "
      "folder, with -s too",
      layout()->name());
}

const TypeSource* DebugInfo::file_types(std::string_view module) const {
  // Half a gigabyte is not fetched because one type was in no smaller file.
  const DebugFile* found = module == "vmlinux" ? file(module) : fetch(module);
  if (found != nullptr && found->has_types()) return &found->types();
  return btf() != nullptr ? btf()->types(module) : nullptr;
}

const LayoutSource* DebugInfo::layout() const {
  if (!layout_search_) {
    layout_search_ = finder_.find_layout(build_id_of_);
    put_btf_in_place();
  }
  return layout_search_->layout.get();
}

void DebugInfo::put_btf_in_place() const {
  // Symbols that it is found with are looked up before it is there: a layout may know them.
  if (layout_search_->layout == nullptr && btf() != nullptr) layout_search_->layout = btf_;
}

// The user must know that what was named is damaged or of another build.
bool DebugInfo::may_use_btf() const {
  const DebugFile* kvm = fetch("kvm");
  if (kvm != nullptr && kvm->has_types()) return false;
  file("vmlinux");
  return layout_search_->rejected.empty() &&
         std::all_of(searches_.begin(), searches_.end(),
                     [](const auto& search) { return search.second.rejected.empty(); });
}

const KernelBtf* DebugInfo::btf() const {
  layout();  // for why what was named is not used
  if (looked_for_btf_ || !open_btf_) return btf_.get();
  // What opens it comes back here.
  looked_for_btf_ = true;
  if (!may_use_btf()) return nullptr;
  no_btf_ = "the kernel shows no BTF (CONFIG_DEBUG_INFO_BTF)";
  try {
    btf_ = open_btf_();
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    no_btf_ = error.what();
  }
  return btf_.get();
}

bool DebugInfo::give_up_layout() const {
  if (layout() == nullptr || !layout()->is_implied()) return false;
  layout_types_.forget();
  given_up_ = std::move(layout_search_->layout);
  put_btf_in_place();
  return true;
}

void DebugInfo::need_layout(std::string_view module) const {
  if (layout() == nullptr || layout()->types(module) == nullptr) need(module);
}

std::string DebugInfo::layout_build_id(std::string_view module) const {
  // BTF is the target's own.
  if (btf_ != nullptr && layout() == btf_.get()) return build_id_of_(module);
  if (layout() != nullptr) return layout()->build_id(module);
  const DebugFile* found = file(module);
  return found != nullptr ? found->build_id() : "";
}

const DebugFile* DebugInfo::file(std::string_view module) const {
  const auto known = searches_.find(module);
  if (known != searches_.end()) return known->second.file.get();
  DebugSearch search = finder_.find(module, release_, build_id_of_(module));
  return searches_.emplace(std::string(module), std::move(search)).first->second.file.get();
}

void DebugInfo::open_all() const {
  layout();
  for (const std::string_view module : type_modules) file(module);
}

const DebugFile* DebugInfo::fetch(std::string_view module) const {
  const DebugFile* found = file(module);
  const bool at_hand = found != nullptr && found->has_types();
  if (at_hand || !finder_.can_fetch() || fetched_.contains(module)) return found;
  std::string build_id = if_readable([&] { return build_id_of_(module); }).value_or("");
  if (build_id.empty() && found != nullptr) build_id = found->build_id();
  if (build_id.empty()) return found;
  DebugSearch fetched = finder_.fetch(module, build_id);
  fetched_.emplace(std::string(module), std::move(fetched.rejected));
  if (fetched.file == nullptr) return found;
  // Symbols of the one without types may be in use.
  DebugSearch& search = searches_.find(module)->second;
  replaced_.push_back(std::exchange(search.file, std::move(fetched.file)));
  types_.look_again();
  layout_types_.look_again();
  return search.file.get();
}

const DebugFile& DebugInfo::need(std::string_view module) const {
  const DebugFile* found = fetch(module);
  if (found == nullptr || !found->has_types())
    throw Error(ErrorKind::unavailable, how_to_get(module));
  return *found;
}

std::string DebugInfo::how_to_get(std::string_view module) const {
  file(module);
  const DebugSearch& search = searches_.find(module)->second;
  std::string text = fmt::format("no debug info for {}{}{}", module,
                                 release_.empty() ? "" : " of kernel ", release_);
  for (const std::string& rejected : search.rejected) text += fmt::format("; {}", rejected);
  text += lack_of_files();
  if (layout_search_)
    for (const std::string& rejected : layout_search_->rejected)
      text += fmt::format("; {}", rejected);
  if (btf_ != nullptr)
    text += fmt::format("; {}", btf_->limits());
  else if (!no_btf_.empty())
    text += fmt::format("; {}", no_btf_);
  if (!search.tried.empty()) text += fmt::format("; tried {}", fmt::join(search.tried, ", "));
  if (finder_.can_fetch() && !fetched_.contains(module))
    text += "; its build-id is not known, so that no server can be asked for it";
  for (const auto& [name, reasons] : fetched_)
    if (!reasons.empty()) text += fmt::format("; {}: {}", name, fmt::join(reasons, "; "));
  const std::string_view release = release_.empty() ? "RELEASE" : std::string_view(release_);
  text += fmt::format(
      "; install linux-image-{0}-dbg (Debian), linux-image-{0}-dbgsym (Ubuntu) or "
      "kernel-debuginfo (Fedora, RHEL), or give the file or its folder with -s",
      release);
  return finder_.can_fetch() ? text : text + "; or let --debuginfod fetch it";
}

}  // namespace kvmscope
