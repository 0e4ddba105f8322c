// Where the code that is to be probed comes from: debug files, and how the kernel names places.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "commands/shell/session.hpp"
#include "core/types/source.hpp"

namespace kvmscope::tracing {

// One debug file with code, by the module that it is of.
struct ProbedCode {
  const DebugFile* file = nullptr;
  std::string module;  // as the kernel calls it: "kvm_amd"; empty: the kernel itself

  const CodeSource& code() const { return file->code(); }
  // "kvm:mmu_sync_children+0x1a", as kprobe_events takes it. Throws Error{unavailable} where no
  // symbol names the place.
  std::string probe_place(const CodePlace& place) const;
};

// KVM's: of kvm.ko, or of vmlinux where it is built in. Throws Error{unavailable}.
ProbedCode kvm_code(Session& session);
// One file by name ("kvm-amd", "vmlinux"); file nullptr: not at hand, or of no loaded module.
ProbedCode code_of(Session& session, std::string_view module);

}  // namespace kvmscope::tracing
