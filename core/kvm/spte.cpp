#include "core/kvm/spte.hpp"

#include <algorithm>
#include <array>

#include "core/base/bits.hpp"
#include "core/base/error.hpp"
#include "core/kernel/kernel.hpp"

namespace kvmscope::kvm {
namespace {

constexpr std::uint64_t spte_mmu_present = 1ULL << 11;     // SPTE_MMU_PRESENT_MASK, since v5.13
constexpr std::uint64_t mmio_type = bit_range(52, 53);     // SPTE_SPECIAL_MASK, v5.4 to v5.12
constexpr std::uint64_t ad_type_old = bit_range(52, 53);   // SPTE_TDP_AD_MASK, until v7
constexpr std::uint64_t ad_type_new = bit_range(60, 61);   // with shadow_xs_mask
constexpr std::uint64_t ad_track_bit = 1ULL << 62;         // shadow_acc_track_value, v4.19
constexpr std::uint64_t host_writable_fixed = 1ULL << 10;  // SPTE_HOST_WRITEABLE, until v5.12
constexpr std::uint64_t mmu_writable_fixed = 1ULL << 11;   // SPTE_MMU_WRITEABLE, until v5.12
constexpr std::uint64_t address_bits = bit_range(12, 51);

// FROZEN_SPTE (REMOVED_SPTE until v6.12): a #define, so its spellings are listed here.
constexpr std::array<std::uint64_t, 3> frozen_values = {
    0x5a0,               // v5.12 to v6.9
    0x80000000000005a0,  // v6.10 to v6.18
    0x80000000000001a0,  // v7
};

// Built-in KVM keeps its variables in vmlinux.
std::optional<Symbol> find(const Kernel& kernel, std::string_view name) {
  return kernel.find_symbol(kernel.module("kvm") != nullptr ? "kvm" : "vmlinux", name);
}

std::optional<std::uint64_t> variable(const Kernel& kernel, std::string_view name) {
  const std::optional<Symbol> symbol = find(kernel, name);
  if (!symbol) return std::nullopt;
  return kernel.memory().u64({symbol->address});
}

std::uint64_t need(const Kernel& kernel, std::string_view name) {
  const std::optional<std::uint64_t> value = variable(kernel, name);
  if (!value) throw_error(ErrorKind::corrupt, "this kernel's kvm has no variable {}", name);
  return *value;
}

std::uint64_t physical_mask(const Kernel& kernel) {
  const std::optional<Symbol> mask = kernel.find_symbol("vmlinux", "physical_mask");
  // Without CONFIG_DYNAMIC_PHYSICAL_MASK there is no encryption bit to strip.
  if (!mask) return address_bits;
  return kernel.memory().u64({mask->address}) & address_bits;
}

void read_mmio(const Kernel& kernel, SpteFormat& format) {
  format.mmio_value = variable(kernel, "shadow_mmio_value").value_or(0);
  format.mmio_mask = variable(kernel, "shadow_mmio_mask").value_or(mmio_type);
  if (!variable(kernel, "shadow_mmio_mask")) format.mmio_value = mmio_type;
  format.mmio_cached = format.mmio_value != 0;
  // A bool; kallsyms and System.map know no sizes.
  if (const std::optional<Symbol> caching = find(kernel, "enable_mmio_caching"))
    format.mmio_cached =
        format.mmio_mask != 0 && kernel.memory().value<std::uint8_t>({caching->address}) != 0;
}

void read_ad_type(const Kernel& kernel, bool new_layout, SpteFormat& format) {
  if (const auto old = variable(kernel, "shadow_acc_track_value"); old && *old == ad_track_bit) {
    format.ad_mask = format.ad_disabled = ad_track_bit;
    return;
  }
  format.ad_mask = new_layout ? ad_type_new : ad_type_old;
  format.ad_disabled = format.ad_mask & ~(format.ad_mask << 1);  // type 1 of the field
}

}  // namespace

std::string_view name(SpteKind kind) {
  switch (kind) {
    case SpteKind::nonpresent: return "nonpresent";
    case SpteKind::table: return "table";
    case SpteKind::leaf: return "leaf";
    case SpteKind::mmio: return "mmio";
    case SpteKind::frozen: return "frozen";
    case SpteKind::unknown: return "unknown";
  }
  return "unknown";
}

SpteFormat read_spte_format(const Kernel& kernel) {
  return with_context(
      [] { return "reading kvm's SPTE masks"; },
      [&] {
        SpteFormat format;
        format.present = need(kernel, "shadow_present_mask");
        format.user = need(kernel, "shadow_user_mask");
        const std::optional<std::uint64_t> xs = variable(kernel, "shadow_xs_mask");
        format.exec = xs ? *xs : need(kernel, "shadow_x_mask");
        format.nx = need(kernel, "shadow_nx_mask");
        format.accessed = need(kernel, "shadow_accessed_mask");
        format.dirty = need(kernel, "shadow_dirty_mask");
        const std::optional<std::uint64_t> mmu_writable =
            variable(kernel, "shadow_mmu_writable_mask");
        // The mask variable came with the software present bit.
        format.mmu_present = mmu_writable ? spte_mmu_present : 0;
        format.mmu_writable = mmu_writable.value_or(mmu_writable_fixed);
        format.host_writable =
            variable(kernel, "shadow_host_writable_mask").value_or(host_writable_fixed);
        format.acc_track = variable(kernel, "shadow_acc_track_mask").value_or(0);
        format.address = physical_mask(kernel);
        read_mmio(kernel, format);
        read_ad_type(kernel, xs.has_value(), format);
        return format;
      });
}

SpteKind SpteFormat::kind(std::uint64_t spte, unsigned level) const {
  if (is_empty(spte)) return SpteKind::nonpresent;
  if (is_present(spte)) return is_leaf(spte, level) ? SpteKind::leaf : SpteKind::table;
  if (std::find(frozen_values.begin(), frozen_values.end(), spte) != frozen_values.end())
    return SpteKind::frozen;
  return is_mmio(spte) ? SpteKind::mmio : SpteKind::unknown;
}

bool SpteFormat::readable(std::uint64_t spte) const {
  return (spte & 1) != 0;
}

bool SpteFormat::executable(std::uint64_t spte) const {
  return ept() ? (spte & exec) != 0 : (spte & nx) == 0;
}

// EPT has no user bit: its pages are the guest's to share out.
bool SpteFormat::user_accessible(std::uint64_t spte) const {
  return ept() ? readable(spte) : (spte & user) != 0;
}

bool SpteFormat::access_tracked(std::uint64_t spte) const {
  return ept() && acc_track != 0 && !ad_enabled(spte) && (spte & acc_track) == 0;
}

std::vector<std::string> SpteFormat::flags(std::uint64_t spte, unsigned level) const {
  std::vector<std::string> words;
  const auto add = [&](bool set, const char* word) {
    if (set) words.emplace_back(word);
  };
  add(readable(spte), "r");
  add(writable(spte), "w");
  add(executable(spte), "x");
  add(user_accessible(spte), "u");
  const bool leaf = is_leaf(spte, level);
  add(accessed != 0 && (spte & accessed) != 0, "accessed");
  add(leaf && dirty != 0 && (spte & dirty) != 0, "dirty");
  add(!ad_enabled(spte), "ad_disabled");
  add(leaf && (spte & host_writable) != 0, "host_writable");
  add(leaf && (spte & mmu_writable) != 0, "mmu_writable");
  add(access_tracked(spte), "access_tracked");
  add(leaf && level > 1, "huge");
  return words;
}

}  // namespace kvmscope::kvm
