// The shell: a prompt that runs one line after the other.
#pragma once

#include "commands/shell/session.hpp"

namespace kvmscope {

// Reads the history of earlier sessions, and adds to it from now on.
void open_history(Session& session);
// Until Ctrl-D or `quit`. Opens the history if that was not done.
void run_shell(Session& session);

}  // namespace kvmscope
