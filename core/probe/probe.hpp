// A kernel probe as data: where the kernel records, what it records there, and what came of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kvmscope::probe {

// One value that the kernel records at a probe: a fetch argument as
// Documentation/trace/kprobetrace.rst describes it.
struct FetchArg {
  std::string text = {};   // what the user asked for, for display: "sp->role.level"
  std::string field = {};  // its name in the event: a letter or _, then letters, digits, _
  std::string fetch = {};  // place and type: "+36(%si):b4@0/32"
  bool is_signed = false;  // how the recorded bits are meant
  bool is_hex = false;     // an address, a mask or a frame: shown as hex
  // The value is what was recorded plus this, cut to so many bits: a fetch argument cannot add.
  std::uint64_t addend = 0;
  unsigned bits = 64;
};

// The value of an argument, signed ones extended to 64 bits.
std::uint64_t value_of(const FetchArg& arg, std::uint64_t recorded);

// One kprobe event, or return-probe event.
struct Probe {
  std::string event;  // its name inside our group, of the same letters as FetchArg::field
  std::string place;  // "kvm:kvm_mmu_load", "kvm:mmu_zap_unsync_children+0xcc"
  bool at_return = false;
  std::vector<FetchArg> args = {};
};

// One record of a probe.
struct Hit {
  std::size_t probe = 0;                   // which of the probes that were armed together
  std::uint64_t time_ns = 0;               // of the trace clock
  unsigned cpu = 0;                        // that it was recorded on
  std::int32_t tid = 0;                    // the thread it was recorded in
  std::vector<std::uint64_t> values = {};  // of the probe's args, in their order
};

}  // namespace kvmscope::probe
