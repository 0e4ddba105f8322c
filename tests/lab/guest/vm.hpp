// A VM and its vCPUs, through the raw ioctls of /dev/kvm.
#pragma once

#include "tests/lab/guest/memory.hpp"

#include <linux/kvm.h>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lab {

// The registers that make a processor mode.
struct CpuMode {
  const char* name;
  uint64_t cr0;
  uint64_t cr4;
  uint64_t efer;
  bool long_code;
  bool wide_code;  // 32-bit code and data
};

constexpr CpuMode kLongMode{"long", 0x80050033, 0x20, 0x500, true, false};
constexpr CpuMode kLongMode57{"long-la57", 0x80050033, 0x1020, 0x500, true, false};
constexpr CpuMode kPaeMode{"pae", 0x80050033, 0x20, 0, false, true};
constexpr CpuMode kProtectedMode{"protected", 0x80050033, 0, 0, false, true};
constexpr CpuMode kRealMode{"real", 0x60000010, 0, 0, false, false};

// What a vCPU's thread does once the guest has reached its HLT.
enum class Rest {
  outside,   // KVM_RUN has returned, the thread pauses
  in_kernel  // the thread sleeps inside KVM_RUN (needs create_irqchip)
};

using DirtyBits = std::vector<uint64_t>;

// Lives as long as the process: the dump is taken of VMs that exist.
class Vm {
 public:
  explicit Vm(std::string name);

  const std::string& name() const { return name_; }

  void add_slot(unsigned slot, Memory& memory, uint32_t flags = 0);
  // Shows memory to the guest at another place than its own.
  void add_region(unsigned slot, uint64_t guest_address, uint64_t bytes, uint64_t host_address,
                  uint32_t flags);
  void delete_slot(unsigned slot);
  // Only KVM_CLEAR_DIRTY_LOG then write-protects what is logged, and all pages of a slot whose
  // writes begin to be logged count as written.
  void protect_logged_pages_by_hand();
  // Which pages of a logged slot KVM says were written, a bit each.
  DirtyBits dirty_log(unsigned slot, const Memory& memory);
  // Makes 64 pages from a multiple of 64 on unwritten: those whose bits are set.
  void clear_dirty_log(unsigned slot, uint64_t first_page, uint64_t bits);

  void create_irqchip();
  void limit_shadow_pages(unsigned pages);

  // Makes a vCPU that never runs.
  int create_vcpu(unsigned id);

  // Gives a vCPU another address space from outside, so often: each time KVM resets its MMU.
  void change_cr3(int vcpu, uint64_t times);

  // Makes a vCPU with its own thread and returns it when its guest has reached the HLT.
  int run_vcpu(unsigned id, const CpuMode& mode, uint64_t cr3, uint64_t code,
               Rest rest = Rest::outside);

  // Where KVM's own walk of the guest's tables leads; nothing when it faults.
  static std::optional<uint64_t> translate(int vcpu, uint64_t virtual_address);

  // A counter of this VM in debugfs; also says its value to the lab.
  uint64_t statistic(const char* counter) const;

 private:
  std::string name_;
  int fd_;
};

// Whether guests may use 5-level paging here.
bool supports_la57();

}  // namespace lab
