#include "commands/trace/probed_code.hpp"

#include <algorithm>

#include "core/base/error.hpp"
#include "core/kernel/kernel.hpp"

namespace kvmscope::tracing {

std::string ProbedCode::probe_place(const CodePlace& place) const {
  if (place.symbol.empty())
    throw_error(ErrorKind::unavailable,
                "no function has a name of its own near {:#x} of {}: the kernel could not tell "
                "the place from others",
                place.address, file->path());
  const std::string name = place_name(place);
  return module.empty() ? name : fmt::format("{}:{}", module, name);
}

ProbedCode code_of(Session& session, std::string_view module) {
  ProbedCode code;
  if (module != "vmlinux") {
    code.module = module;
    std::replace(code.module.begin(), code.module.end(), '-', '_');
    // Debug files of a module that is not loaded would name places that are not there.
    if (session.uses_target() && session.kernel().module(code.module) == nullptr) return code;
  }
  code.file = session.debug_info().file(module);
  if (code.file != nullptr && !code.file->has_types()) code.file = nullptr;
  return code;
}

ProbedCode kvm_code(Session& session) {
  for (const std::string_view module : {"kvm", "vmlinux"}) {
    ProbedCode code = code_of(session, module);
    if (code.file != nullptr && !code.code().copies("kvm_mmu_load").empty()) return code;
  }
  session.debug_info().need("kvm");
  throw Error(ErrorKind::unavailable,
              "the debug files of kvm have no kvm_mmu_load: are they of KVM on x86?");
}

}  // namespace kvmscope::tracing
