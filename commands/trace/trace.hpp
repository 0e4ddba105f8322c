// The commands of `trace`, each in its own file.
#pragma once

#include "commands/command.hpp"

namespace kvmscope::tracing {

Command load();
Command events();
Command unsync();
Command at();

}  // namespace kvmscope::tracing
