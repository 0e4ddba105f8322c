// Says what is mapped where, and which bytes are there.
#include "tests/lab/guest/truth.hpp"

#include "tests/lab/guest/report.hpp"

#include <algorithm>
#include <cstdio>
#include <string>

namespace lab {
namespace {

using LongLong = unsigned long long;  // what %llx takes

constexpr uint64_t kSaidBytes = 16;
constexpr uint64_t kOdd = 0x123;
constexpr uint64_t kPastTheMiddle = 0x7f5;
constexpr uint64_t kBeforeTheEnd = 7;

// A bijection, so that no two addresses have the same value; 0 is that of an address that is not a
// multiple of 8.
uint64_t scrambled(uint64_t value) {
  value = (value ^ value >> 30 ^ 1) * 0xbf58476d1ce4e5b9;
  value = (value ^ value >> 27) * 0x94d049bb133111eb;
  return value ^ value >> 31;
}

std::string hex_of(uint8_t byte) {
  char hex[3];
  std::snprintf(hex, sizeof hex, "%02x", byte);
  return hex;
}

}  // namespace

void fill(Memory& memory, uint64_t start, uint64_t bytes) {
  // The host's address is in it, so that no two VMs have the same values.
  for (uint64_t at = start; at < start + bytes; at += sizeof(uint64_t))
    memory.at<uint64_t>(at) = scrambled(memory.host_address() + (at - memory.start()));
}

void say_case(const Vm& vm, uint64_t gpa, const char* kind) {
  say("case vm=%s gpa=%#llx kind=%s", vm.name().c_str(), LongLong(gpa), kind);
}

void Truth::say_translation(uint64_t gva) const {
  std::string bytes;
  bool all_memory = true;
  for (uint64_t at = gva; at < gva + kSaidBytes; ++at) {
    const Mapping* mapping = find(at);
    if (!mapping) return;
    uint64_t gpa = mapping->gpa + (at - mapping->gva);
    Memory* memory = memory_of(gpa);
    all_memory = all_memory && memory;
    if (all_memory) bytes += hex_of(memory->at<uint8_t>(gpa));
  }
  const Mapping* first = find(gva);
  uint64_t first_gpa = first->gpa + (gva - first->gva);
  say("translation vm=%s vcpu=%u gva=%#llx gpa=%#llx bytes=%s", vm_->name().c_str(), vcpu_,
      LongLong(gva), LongLong(first_gpa), all_memory ? bytes.c_str() : "-");
}

void Truth::say_all_translations() const {
  for (const Mapping& mapping : mappings_) {
    say_translation(mapping.gva);
    say_translation(mapping.gva + kOdd);
    say_translation(mapping.gva + mapping.bytes / 2 + kPastTheMiddle);
    say_translation(mapping.gva + mapping.bytes - kSaidBytes);
    say_translation(mapping.gva + mapping.bytes - kBeforeTheEnd);
  }
}

void Truth::say_fault(uint64_t gva, int level, const char* reason) const {
  say("fault vm=%s vcpu=%u gva=%#llx level=%d reason=%s", vm_->name().c_str(), vcpu_, LongLong(gva),
      level, reason);
}

void Truth::check(int vcpu_fd) const {
  for (const Mapping& mapping : mappings_) {
    uint64_t offset = mapping.bytes / 2 + kOdd, gva = mapping.gva + offset;
    if (Vm::translate(vcpu_fd, gva) != mapping.gpa + offset)
      fail("KVM translates %#llx otherwise", LongLong(gva));
  }
}

const Mapping* Truth::find(uint64_t gva) const {
  auto found = std::find_if(mappings_.begin(), mappings_.end(), [&](const Mapping& mapping) {
    return gva - mapping.gva < mapping.bytes;
  });
  return found == mappings_.end() ? nullptr : &*found;
}

Memory* Truth::memory_of(uint64_t gpa) const {
  auto found = std::find_if(memories_.begin(), memories_.end(), [&](const Memory* memory) {
    return gpa - memory->start() < memory->bytes();
  });
  return found == memories_.end() ? nullptr : *found;
}

}  // namespace lab
