// How large the terminal is that standard output goes to.
#pragma once

#include <cstddef>

namespace kvmscope {

struct TerminalSize {
  std::size_t lines = 24;
  std::size_t columns = 80;
};
// The usual size when it is no terminal, or tells none.
TerminalSize terminal_size();

}  // namespace kvmscope
