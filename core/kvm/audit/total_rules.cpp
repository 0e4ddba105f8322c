// Rules about how many pages there are, that hold about.

#include "core/kvm/audit/describe.hpp"

namespace kvmscope::kvm::audit {
namespace {

constexpr std::uint32_t most_cpus = 65'536;

void check_limit(const Model& model, Report& report) {
  const VmFields& fields = model.kvm().layout().vm();
  const std::uint64_t used = model.vm().fields.get(fields.used_pages);
  const std::uint64_t most = model.vm().fields.get(fields.max_pages);
  if (used > most)
    report.add(about_vm(
        model, fmt::format("{} shadow pages are in use, n_max_mmu_pages is {}", used, most)));
}

// percpu_counter_sum()
std::int64_t sum(const Kernel& kernel, const PercpuCounterFields& fields, VirtAddr counter) {
  const StructCopy copy(fields, kernel.memory(), counter);
  std::int64_t total = copy.get_signed(fields.count);
  const VirtAddr offsets{kernel.symbol("__per_cpu_offset").address};
  const auto cpus = kernel.memory().value<std::uint32_t>({kernel.symbol("nr_cpu_ids").address});
  if (cpus > most_cpus) throw_error(ErrorKind::corrupt, "nr_cpu_ids is {}", cpus);
  for (std::uint32_t cpu = 0; cpu < cpus; ++cpu) {
    const std::uint64_t offset = kernel.memory().u64(offsets + std::uint64_t{8} * cpu);
    total += kernel.memory().value<std::int32_t>(copy.pointer(fields.counters) + offset);
  }
  return total;
}

void check_total(const Model& model, Report& report) {
  const Kvm& kvm = model.kvm();
  model.attempt([&] {
    std::int64_t used = 0;
    kvm.each_vm_address([&](VirtAddr address) {
      used +=
          static_cast<std::int64_t>(kvm.vm_at(address, 0).fields.get(kvm.layout().vm().used_pages));
    });
    const std::int64_t counted = sum(kvm.kernel(), kvm.layout().percpu_counter(),
                                     {kvm.variable("kvm_total_used_mmu_pages")->address});
    if (used != counted)
      report.add(about_vm(model, fmt::format("kvm_total_used_mmu_pages is {}, but all VMs together "
                                             "use {}",
                                             counted, used)));
  });
}

std::string in_first_vm(const Model& model) {
  if (model.vm().index != 0) return "it is about all VMs together: told with VM 0";
  const PercpuCounterFields& fields = model.kvm().layout().percpu_counter();
  const bool known = fields.count.present() && fields.counters.present() &&
                     model.kvm().kernel().find_symbol("__per_cpu_offset") &&
                     model.kvm().kernel().find_symbol("nr_cpu_ids");
  return known && model.kvm().variable("kvm_total_used_mmu_pages")
             ? ""
             : "this kernel keeps no such number, or its symbols are not known";
}

}  // namespace

std::vector<Rule> total_rules() {
  return {
      {.name = "page-limit",
       .what =
           "no more shadow pages are in use than n_max_mmu_pages; obsolete ones may be beyond it",
       .when = "",
       .source = "make_mmu_pages_available, kvm_mmu_change_mmu_pages",
       .severity = Severity::info,
       .check = check_limit},
      {.name = "total-pages",
       .what = "kvm_total_used_mmu_pages is what all VMs use together",
       .when = "until v6.18 (kvm_total_used_mmu_pages)",
       .source = "kvm_mod_used_mmu_pages",
       .severity = Severity::info,
       .excuse = in_first_vm,
       .check = check_total},
  };
}

}  // namespace kvmscope::kvm::audit
