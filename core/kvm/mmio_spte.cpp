#include "core/kvm/mmio_spte.hpp"

#include <bit>

#include "core/base/bits.hpp"
#include "core/base/error.hpp"
#include "core/kernel/kernel.hpp"
#include "core/kvm/kvm.hpp"

namespace kvmscope::kvm {
namespace {

// Where the generation stands: #defines, so told apart by what came with them.
struct Generation {
  std::uint64_t low;
  std::uint64_t high;
  unsigned dropped;
};
constexpr Generation since_v7 = {bit_range(3, 9), bit_range(52, 62), 0};      // with shadow_xs_mask
constexpr Generation since_v5_13 = {bit_range(3, 10), bit_range(52, 62), 0};  // with bit 11
constexpr Generation since_v5_1 = {bit_range(3, 11), bit_range(54, 62), 0};
// With shadow_acc_track_value.
constexpr Generation until_v5_0 = {bit_range(3, 11), bit_range(52, 61), 1};

constexpr unsigned shifted_by = 5;  // SHADOW_NONPRESENT_OR_RSVD_MASK_LEN

std::optional<std::uint64_t> variable(const Kernel& kernel, std::string_view name) {
  const std::optional<Symbol> symbol =
      kernel.find_symbol(kernel.module("kvm") != nullptr ? "kvm" : "vmlinux", name);
  if (!symbol) return std::nullopt;
  return kernel.memory().u64({symbol->address});
}

const Generation& generation_of(const Kernel& kernel, const SpteFormat& format) {
  if (format.mmu_present != 0) return variable(kernel, "shadow_xs_mask") ? since_v7 : since_v5_13;
  return variable(kernel, "shadow_acc_track_value") ? until_v5_0 : since_v5_1;
}

unsigned first_bit(std::uint64_t mask) {
  return static_cast<unsigned>(std::countr_zero(mask));
}
unsigned width(std::uint64_t mask) {
  return static_cast<unsigned>(std::popcount(mask));
}

}  // namespace

std::uint64_t MmioFormat::generation(std::uint64_t spte) const {
  const std::uint64_t low = (spte & gen_low) >> first_bit(gen_low);
  const std::uint64_t high = (spte & gen_high) >> first_bit(gen_high);
  return (low | high << width(gen_low)) << gen_dropped;
}

std::uint64_t MmioFormat::kept(std::uint64_t memslots_generation) const {
  const std::uint64_t bits = low_bits(width(gen_low) + width(gen_high));
  return memslots_generation & bits << gen_dropped;
}

Gfn MmioFormat::gfn(std::uint64_t spte) const {
  const std::uint64_t gpa = (spte & gfn_low) | ((spte >> shifted_by) & gfn_shifted);
  return to_gfn(GuestPhysAddr{gpa});
}

MmioFormat read_mmio_format(const Kernel& kernel, const SpteFormat& format) {
  return with_context([] { return "reading kvm's MMIO masks"; },
                      [&] {
                        const Generation& generation = generation_of(kernel, format);
                        MmioFormat mmio{generation.low, generation.high, generation.dropped};
                        // Before the L1TF mitigation (v4.19) the frame stood in its usual place.
                        mmio.gfn_low = variable(kernel, "shadow_nonpresent_or_rsvd_lower_gfn_mask")
                                           .value_or(bit_range(12, 51) & ~format.mmio_value);
                        mmio.gfn_shifted =
                            variable(kernel, "shadow_nonpresent_or_rsvd_mask").value_or(0);
                        mmio.access = variable(kernel, "shadow_mmio_access_mask").value_or(0);
                        return mmio;
                      });
}

std::uint64_t memslots_generation(const Kvm& kvm, const Vm& vm, unsigned as_id) {
  const VirtAddr set{vm.fields.get(kvm.layout().vm().memslots, as_id)};
  const MemslotsFields& fields = kvm.layout().memslots();
  return StructCopy(fields, kvm.memory(), set).get(fields.generation);
}

}  // namespace kvmscope::kvm
