// The shell: a prompt that runs one line after the other.
#pragma once

#include "commands/shell/session.hpp"

namespace kvmscope {

// Until Ctrl-D or `quit`.
void run_shell(Session& session);

}  // namespace kvmscope
