// The symbols of vmlinux that start-up and most commands ask for.
#pragma once

#include <string>
#include <vector>

namespace kvmscope {

// kallsyms is read in one pass for all of them.
const std::vector<std::string>& usual_symbol_names();

}  // namespace kvmscope
