// What a kernel calls itself and its host, as `uname` shows it.
#pragma once

#include <optional>
#include <string>

#include "core/kernel/kernel.hpp"

namespace kvmscope {

struct UtsName {
  std::string nodename;
  std::string release;
  std::string version;
  std::string machine;
};

// init_uts_ns.name (struct new_utsname, include/uapi/linux/utsname.h), where VMCOREINFO says it is;
// none: it does not. Throws what reading memory throws.
std::optional<UtsName> read_uts_name(const Kernel& kernel);

}  // namespace kvmscope
