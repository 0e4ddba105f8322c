// Makes a layout pack of what one kernel's fields resolved to.
#pragma once

#include "core/kernel/kernel.hpp"
#include "core/kvm/all_fields.hpp"
#include "core/types/pack.hpp"

namespace kvmscope::kvm {

// `fields` are those of debug.layout_types(). `vmlinux_build_id`: of the target; empty: that of its
// debug file counts.
// Throws Error{unavailable} where a build-id is missing, since nobody could tell then what the pack
// is for.
LayoutPack make_pack(const DebugInfo& debug, const AllFields& fields, std::string vmlinux_build_id,
                     UsualSymbols symbols);

}  // namespace kvmscope::kvm
