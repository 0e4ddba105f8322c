// Places that `trace at` means, and what can be recorded at each.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "commands/trace/probed_code.hpp"
#include "core/probe/probe.hpp"

namespace kvmscope::tracing {

struct AtPlace {
  CodePlace place = {};
  std::string function = {};  // of the source code, the inlined one where it is inlined
  std::string line = {};      // "arch/x86/kvm/mmu/mmu.c:2446"; empty: not known
  TypeRef result = {};        // of a return
};

// What the text names, in the first debug file that has it.
struct AtPlaces {
  ProbedCode code;
  std::vector<AtPlace> places;  // not empty
};

// "kvm_mmu_load", "kvm_amd:svm_vcpu_run", "mmu_zap_unsync_children+0xcc", "mmu/mmu.c:2446".
// `code_of`: the code of a module by name, see code_of() of a session. Throws Error{usage} that
// says what is near, Error{unavailable} when there is no code to look in.
AtPlaces find_places(const std::function<ProbedCode(std::string_view module)>& code_of,
                     const std::string& text, bool at_return);

// One value at one place.
struct AtValue {
  std::optional<std::size_t> index = {};  // among the values of the probe's hits
  std::string lost = {};                  // why it has none
};

struct AtPlan {
  std::vector<AtPlace> places;  // of each probe
  std::vector<probe::Probe> probes;
  std::vector<std::vector<AtValue>> values;  // of each probe, for each expression
};

// `expressions`: their texts; `start`: where the one of that index starts, for columns of errors.
// Throws Error{usage}: an expression that can be recorded at none of the places.
AtPlan at_plan(const AtPlaces& found, const Types& types, bool at_return,
               const std::vector<std::string>& expressions,
               const std::function<std::size_t(std::size_t)>& start);

}  // namespace kvmscope::tracing
