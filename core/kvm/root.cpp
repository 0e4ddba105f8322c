#include "core/kvm/root.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace kvmscope::kvm {
namespace {

std::optional<std::uint64_t> decimal(std::string_view text) {
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, number);
  if (text.empty() || result.ec != std::errc() || result.ptr != end) return std::nullopt;
  return number;
}

std::string_view take_part(std::string_view& text) {
  const std::size_t dot = std::min(text.find('.'), text.size());
  const std::string_view part = text.substr(0, dot);
  text.remove_prefix(std::min(dot + 1, text.size()));
  return part;
}

// "prev2" after "prev" is 2.
std::optional<unsigned> numbered(std::string_view part, std::string_view word) {
  if (!part.starts_with(word)) return std::nullopt;
  const std::optional<std::uint64_t> number = decimal(part.substr(word.size()));
  if (!number || *number > 63) return std::nullopt;
  return static_cast<unsigned>(*number);
}

}  // namespace

std::string_view name(MmuKind kind) {
  return kind == MmuKind::root_mmu ? "root_mmu" : "guest_mmu";
}

std::string Root::slot() const {
  std::string text = prev ? fmt::format("prev{}", *prev) : "current";
  if (pae) text += fmt::format(".pae{}", *pae);
  return text;
}

std::string Root::name() const {
  std::string text = fmt::format("{}.{}", vm, vcpu);
  if (!is_active_mmu) text += fmt::format(".{}", kvm::name(mmu));
  if (prev) text += fmt::format(".prev{}", *prev);
  if (pae) text += fmt::format(".pae{}", *pae);
  return text;
}

std::optional<RootName> parse_root_name(std::string_view text) {
  if (text.ends_with('.')) return std::nullopt;
  RootName name;
  name.vm = take_part(text);
  const std::optional<std::uint64_t> vcpu = decimal(take_part(text));
  if (name.vm.empty() || !vcpu) return std::nullopt;
  name.vcpu = *vcpu;
  while (!text.empty()) {
    const std::string_view part = take_part(text);
    const bool last_words = name.prev || name.pae;
    if (part == "root_mmu" && !name.mmu && !last_words) {
      name.mmu = MmuKind::root_mmu;
    } else if (part == "guest_mmu" && !name.mmu && !last_words) {
      name.mmu = MmuKind::guest_mmu;
    } else if (part.starts_with("prev") && !last_words) {
      if (!(name.prev = numbered(part, "prev"))) return std::nullopt;
    } else if (part.starts_with("pae") && !name.pae) {
      if (!(name.pae = numbered(part, "pae"))) return std::nullopt;
    } else {
      return std::nullopt;
    }
  }
  return name;
}

}  // namespace kvmscope::kvm
