#include "core/kvm/requests.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace kvmscope::kvm {
namespace {

struct Request {
  unsigned bit;
  std::string_view word;
};
// KVM_REQ_*, include/linux/kvm_host.h and (from bit 8) arch/x86/include/asm/kvm_host.h: macros,
// so no debug info names them. These have kept their numbers since v5.10.
constexpr std::array<Request, 27> known_requests = {
    {{0, "TLB_FLUSH"},
     {8, "MIGRATE_TIMER"},
     {9, "REPORT_TPR_ACCESS"},
     {10, "TRIPLE_FAULT"},
     {request::mmu_sync, "MMU_SYNC"},
     {12, "CLOCK_UPDATE"},
     {request::load_mmu_pgd, "LOAD_MMU_PGD"},
     {14, "EVENT"},
     {15, "APF_HALT"},
     {16, "STEAL_UPDATE"},
     {17, "NMI"},
     {18, "PMU"},
     {19, "PMI"},
     {20, "SMI"},
     {21, "MASTERCLOCK_UPDATE"},
     {22, "MCLOCK_INPROGRESS"},
     {23, "SCAN_IOAPIC"},
     {24, "GLOBAL_CLOCK_UPDATE"},
     {25, "APIC_PAGE_RELOAD"},
     {31, "LOAD_EOI_EXITMAP"},
     {32, "GET_NESTED_STATE_PAGES"},
     {33, "APICV_UPDATE"},
     {34, "TLB_FLUSH_CURRENT"},
     {35, "TLB_FLUSH_GUEST"},
     {36, "APF_READY"},
     {37, "MSR_FILTER_CHANGED"},
     {request::mmu_free_obsolete_roots, "MMU_FREE_OBSOLETE_ROOTS"}}};

}  // namespace

std::vector<std::string> request_names(std::uint64_t requests) {
  std::vector<std::string> names;
  for (unsigned bit = 0; bit < 64; ++bit) {
    if (!request::is_pending(requests, bit)) continue;
    const auto* known = std::find_if(known_requests.begin(), known_requests.end(),
                                     [&](const Request& one) { return one.bit == bit; });
    names.push_back(known != known_requests.end() ? std::string(known->word)
                                                  : fmt::format("bit{}", bit));
  }
  return names;
}

}  // namespace kvmscope::kvm
