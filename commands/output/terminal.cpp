#include "commands/output/terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

namespace kvmscope {

TerminalSize terminal_size() {
  struct winsize size {};
  TerminalSize found;
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return found;
  if (size.ws_row >= 2) found.lines = size.ws_row;
  if (size.ws_col >= 2) found.columns = size.ws_col;
  return found;
}

}  // namespace kvmscope
