#include "core/kernel/uts_name.hpp"

#include <algorithm>
#include <array>

namespace kvmscope {
namespace {

// __NEW_UTS_LEN + 1: six texts of this size each, the same since v1.3.
constexpr std::size_t text_size = 65;

}  // namespace

std::optional<UtsName> read_uts_name(const Kernel& kernel) {
  const VmCoreInfo& info = kernel.vmcoreinfo();
  const std::optional<std::uint64_t> symbol = info.symbol("init_uts_ns");
  const std::optional<std::string> offset = info.text("OFFSET(uts_namespace.name)");
  if (!symbol || !offset) return std::nullopt;
  const std::uint64_t start = *symbol + std::strtoull(offset->c_str(), nullptr, 10);
  std::array<std::byte, 6 * text_size> bytes{};
  kernel.memory().read(VirtAddr{start}, bytes);
  const auto text = [&](std::size_t number) {
    const char* first = reinterpret_cast<const char*>(bytes.data()) + number * text_size;
    return std::string(first, std::find(first, first + text_size, '\0'));
  };
  return UtsName{text(1), text(2), text(3), text(4)};
}

}  // namespace kvmscope
