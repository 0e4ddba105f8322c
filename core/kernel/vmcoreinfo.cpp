#include "core/kernel/vmcoreinfo.hpp"

#include <charconv>

#include "core/base/error.hpp"

namespace kvmscope {
namespace {

// Where x86-64 maps its image (__START_KERNEL_map, asm/page_64_types.h).
constexpr std::uint64_t kernel_image_base = 0xffffffff80000000;

template <typename Number>
std::optional<Number> parse(const std::optional<std::string>& text, int base) {
  if (!text) return std::nullopt;
  Number number{};
  const char* end = text->data() + text->size();
  const auto result = std::from_chars(text->data(), end, number, base);
  if (result.ec != std::errc() || result.ptr != end) return std::nullopt;
  return number;
}

}  // namespace

VmCoreInfo::VmCoreInfo(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    values_.insert_or_assign(std::string(line.substr(0, equals)),
                             std::string(line.substr(equals + 1)));
  }
}

std::optional<std::string> VmCoreInfo::text(std::string_view key) const {
  const auto found = values_.find(key);
  if (found == values_.end()) return std::nullopt;
  return found->second;
}

std::optional<std::uint64_t> VmCoreInfo::symbol(std::string_view name) const {
  return parse<std::uint64_t>(text(fmt::format("SYMBOL({})", name)), 16);
}

std::optional<std::int64_t> VmCoreInfo::number(std::string_view name) const {
  return parse<std::int64_t>(text(fmt::format("NUMBER({})", name)), 10);
}

std::string VmCoreInfo::release() const {
  return text("OSRELEASE").value_or("");
}

std::string VmCoreInfo::build_id() const {
  return text("BUILD-ID").value_or("");
}

std::uint64_t VmCoreInfo::kernel_offset() const {
  return parse<std::uint64_t>(text("KERNELOFFSET"), 16).value_or(0);
}

std::uint64_t VmCoreInfo::sme_mask() const {
  return static_cast<std::uint64_t>(number("sme_mask").value_or(0));
}

unsigned VmCoreInfo::paging_levels() const {
  return number("pgtable_l5_enabled").value_or(0) != 0 ? 5 : 4;
}

PhysAddr VmCoreInfo::page_table_root() const {
  std::optional<std::uint64_t> root = symbol("swapper_pg_dir");
  if (!root) root = symbol("init_top_pgt");
  const std::optional<std::int64_t> phys_base = number("phys_base");
  if (!root || !phys_base)
    throw Error(ErrorKind::unavailable,
                "the dump's VMCOREINFO lacks SYMBOL(swapper_pg_dir) or NUMBER(phys_base): it is "
                "damaged, or not of an x86-64 Linux kernel");
  // The symbol already holds the KASLR slide; phys_base takes it out again.
  return PhysAddr{*root - kernel_image_base + static_cast<std::uint64_t>(*phys_base)};
}

}  // namespace kvmscope
