// Drives KVM: makes VMs, memslots and vCPUs, and runs each vCPU to its HLT.
#include "tests/lab/guest/vm.hpp"

#include "tests/lab/guest/report.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <future>
#include <iterator>
#include <thread>

namespace lab {
namespace {

using LongLong = unsigned long long;  // what %llx takes

int kvm_fd() {
  static const int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
  if (fd < 0) fail("open /dev/kvm");
  return fd;
}

int checked(int result, const char* what) {
  if (result < 0) fail("%s", what);
  return result;
}

int kvm_ioctl(int fd, unsigned long request, const char* what, void* argument) {
  return checked(ioctl(fd, request, argument), what);
}

int kvm_ioctl(int fd, unsigned long request, const char* what, unsigned long argument = 0) {
  return checked(ioctl(fd, request, argument), what);
}

// What linux/kvm.h calls kvm_cpuid2. Its own ends in a flexible array whose C++ spelling has
// another size and offset than the C one, which the ioctl numbers made from it then have, too.
struct CpuidHeader {
  uint32_t count;
  uint32_t padding;
};
struct Cpuid {
  CpuidHeader header;
  kvm_cpuid_entry2 entries[256];
};
constexpr unsigned long kGetSupportedCpuid = _IOWR(KVMIO, 0x05, CpuidHeader);
constexpr unsigned long kSetCpuid2 = _IOW(KVMIO, 0x90, CpuidHeader);

Cpuid ask_for_cpuid() {
  Cpuid cpuid{};
  cpuid.header.count = std::size(cpuid.entries);
  kvm_ioctl(kvm_fd(), kGetSupportedCpuid, "KVM_GET_SUPPORTED_CPUID", &cpuid);
  return cpuid;
}

// vCPUs are made by several threads: no one may see a table that another is still filling.
Cpuid& supported_cpuid() {
  static Cpuid cpuid = ask_for_cpuid();
  return cpuid;
}

void set_registers(int vcpu, const CpuMode& mode, uint64_t cr3, uint64_t code) {
  kvm_sregs special{};
  kvm_ioctl(vcpu, KVM_GET_SREGS, "KVM_GET_SREGS", &special);
  special.cr0 = mode.cr0;
  special.cr3 = cr3;
  special.cr4 = mode.cr4;
  special.efer = mode.efer;
  kvm_segment segment{};
  bool real = !mode.long_code && !mode.wide_code;
  segment.limit = real ? 0xffff : 0xffffffff;
  segment.present = segment.s = 1;
  segment.g = !real;
  segment.type = 11;
  segment.selector = real ? 0 : 8;
  segment.l = mode.long_code;
  segment.db = mode.wide_code;
  special.cs = segment;
  segment.type = 3;
  segment.selector = real ? 0 : 16;
  segment.l = 0;
  segment.db = !real;
  special.ds = special.es = special.fs = special.gs = special.ss = segment;
  kvm_ioctl(vcpu, KVM_SET_SREGS, "KVM_SET_SREGS", &special);
  kvm_regs registers{};
  registers.rip = code;
  registers.rflags = 2;
  kvm_ioctl(vcpu, KVM_SET_REGS, "KVM_SET_REGS", &registers);
}

// Runs the guest to its HLT, or to its mark when the HLT will not leave KVM_RUN.
void run_to(uint32_t last_exit, int vcpu, kvm_run& run) {
  for (;;) {
    if (ioctl(vcpu, KVM_RUN, 0) != 0 && errno != EINTR) fail("KVM_RUN");
    if (run.exit_reason == last_exit) return;
    switch (run.exit_reason) {
      case KVM_EXIT_INTR: break;
      case KVM_EXIT_MMIO:
        say("mmio gpa=%#llx write=%d", LongLong(run.mmio.phys_addr), run.mmio.is_write);
        break;
      default: {
        kvm_regs registers{};
        ioctl(vcpu, KVM_GET_REGS, &registers);
        errno = 0;
        fail("guest left KVM_RUN with exit reason %u, suberror %u, rip %#llx", run.exit_reason,
             run.internal.suberror, registers.rip);
      }
    }
  }
}

kvm_run& map_run(int vcpu) {
  int size = kvm_ioctl(kvm_fd(), KVM_GET_VCPU_MMAP_SIZE, "KVM_GET_VCPU_MMAP_SIZE");
  void* run = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
  if (run == MAP_FAILED) fail("mmap of the vCPU");
  return *static_cast<kvm_run*>(run);
}

// Waits until a thread of ours sleeps in the kernel.
void wait_for_sleep(pid_t thread) {
  std::string path = "/proc/self/task/" + std::to_string(thread) + "/stat";
  for (;;) {
    char state = 0;
    FILE* file = std::fopen(path.c_str(), "r");
    if (!file || std::fscanf(file, "%*d (%*[^)]) %c", &state) != 1) fail("read %s", path.c_str());
    std::fclose(file);
    if (state == 'S') return;
    usleep(1000);
  }
}

}  // namespace

Vm::Vm(std::string name)
    : name_(std::move(name)), fd_(kvm_ioctl(kvm_fd(), KVM_CREATE_VM, "KVM_CREATE_VM")) {
  say("vm name=%s pid=%d fd=%d", name_.c_str(), getpid(), fd_);
}

void Vm::add_slot(unsigned slot, Memory& memory, uint32_t flags) {
  add_region(slot, memory.start(), memory.bytes(), memory.host_address(), flags);
}

void Vm::add_region(unsigned slot, uint64_t guest_address, uint64_t bytes, uint64_t host_address,
                    uint32_t flags) {
  kvm_userspace_memory_region region{slot, flags, guest_address, bytes, host_address};
  kvm_ioctl(fd_, KVM_SET_USER_MEMORY_REGION, "KVM_SET_USER_MEMORY_REGION", &region);
  say("slot vm=%s id=%u gpa=%#llx size=%#llx hva=%#llx flags=%u", name_.c_str(), slot,
      LongLong(guest_address), LongLong(bytes), LongLong(host_address), flags);
}

void Vm::delete_slot(unsigned slot) {
  kvm_userspace_memory_region region{};
  region.slot = slot;
  kvm_ioctl(fd_, KVM_SET_USER_MEMORY_REGION, "deletion of a memslot", &region);
  say("slot vm=%s id=%u deleted", name_.c_str(), slot);
}

void Vm::protect_logged_pages_by_hand() {
  kvm_enable_cap capability{};
  capability.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2;
  capability.args[0] = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET;
  kvm_ioctl(fd_, KVM_ENABLE_CAP, "KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2", &capability);
}

DirtyBits Vm::dirty_log(unsigned slot, const Memory& memory) {
  DirtyBits bits(memory.bytes() / kPageSize / 64);
  kvm_dirty_log log{};
  log.slot = slot;
  log.dirty_bitmap = bits.data();
  kvm_ioctl(fd_, KVM_GET_DIRTY_LOG, "KVM_GET_DIRTY_LOG", &log);
  return bits;
}

void Vm::clear_dirty_log(unsigned slot, uint64_t first_page, uint64_t bits) {
  kvm_clear_dirty_log log{};
  log.slot = slot;
  log.num_pages = 64;
  log.first_page = first_page;
  log.dirty_bitmap = &bits;
  kvm_ioctl(fd_, KVM_CLEAR_DIRTY_LOG, "KVM_CLEAR_DIRTY_LOG", &log);
}

void Vm::create_irqchip() {
  kvm_ioctl(fd_, KVM_CREATE_IRQCHIP, "KVM_CREATE_IRQCHIP");
}

void Vm::limit_shadow_pages(unsigned pages) {
  kvm_ioctl(fd_, KVM_SET_NR_MMU_PAGES, "KVM_SET_NR_MMU_PAGES", pages);
}

int Vm::create_vcpu(unsigned id) {
  int vcpu = kvm_ioctl(fd_, KVM_CREATE_VCPU, "KVM_CREATE_VCPU", id);
  // Before the registers: a vCPU without the bit for long mode cannot be given long mode.
  kvm_ioctl(vcpu, kSetCpuid2, "KVM_SET_CPUID2", &supported_cpuid());
  return vcpu;
}

void Vm::change_cr3(int vcpu, uint64_t times) {
  constexpr uint64_t kPage = 0x1000;
  kvm_sregs special{};
  kvm_ioctl(vcpu, KVM_GET_SREGS, "KVM_GET_SREGS", &special);
  for (uint64_t i = 0; i < times; ++i) {
    special.cr3 ^= kPage;
    kvm_ioctl(vcpu, KVM_SET_SREGS, "KVM_SET_SREGS", &special);
  }
}

int Vm::run_vcpu(unsigned id, const CpuMode& mode, uint64_t cr3, uint64_t code, Rest rest) {
  struct Sleeper {
    pid_t thread;
    int vcpu;
  };
  std::promise<Sleeper> there;
  std::future<Sleeper> resting = there.get_future();
  std::thread thread([this, id, &mode, cr3, code, rest, there = std::move(there)]() mutable {
    pthread_setname_np(pthread_self(), ("vcpu-" + std::to_string(id)).c_str());
    int vcpu = create_vcpu(id);
    set_registers(vcpu, mode, cr3, code);
    kvm_run& run = map_run(vcpu);
    run_to(rest == Rest::outside ? KVM_EXIT_HLT : KVM_EXIT_IO, vcpu, run);
    kvm_sregs special{};
    kvm_ioctl(vcpu, KVM_GET_SREGS, "KVM_GET_SREGS", &special);
    say("guest vm=%s vcpu=%u mode=%s cr3=%#llx state=%s", name_.c_str(), id, mode.name,
        LongLong(special.cr3), rest == Rest::outside ? "halted" : "blocked");
    there.set_value({gettid(), vcpu});
    if (rest == Rest::in_kernel) run_to(KVM_EXIT_HLT, vcpu, run);
    for (;;) pause();
  });
  thread.detach();
  Sleeper sleeper = resting.get();
  if (rest == Rest::in_kernel) wait_for_sleep(sleeper.thread);
  return sleeper.vcpu;
}

std::optional<uint64_t> Vm::translate(int vcpu, uint64_t virtual_address) {
  kvm_translation translation{};
  translation.linear_address = virtual_address;
  kvm_ioctl(vcpu, KVM_TRANSLATE, "KVM_TRANSLATE", &translation);
  if (!translation.valid) return std::nullopt;
  return translation.physical_address;
}

uint64_t Vm::statistic(const char* counter) const {
  char path[128];
  std::snprintf(path, sizeof path, "/sys/kernel/debug/kvm/%d-%d/%s", getpid(), fd_, counter);
  LongLong value = 0;
  FILE* file = std::fopen(path, "r");
  if (!file || std::fscanf(file, "%llu", &value) != 1) fail("read %s", path);
  std::fclose(file);
  say("statistic vm=%s %s=%llu", name_.c_str(), counter, value);
  return value;
}

bool supports_la57() {
  const Cpuid& cpuid = supported_cpuid();
  for (unsigned i = 0; i < cpuid.header.count; ++i)
    if (cpuid.entries[i].function == 7 && cpuid.entries[i].index == 0)
      return cpuid.entries[i].ecx >> 16 & 1;
  return false;
}

}  // namespace lab
