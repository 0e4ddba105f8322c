// The one interrupt flag: set by Ctrl-C, looked at by every long loop.
#pragma once

namespace kvmscope {

// Installs a SIGINT handler that sets the flag.
void catch_interrupts();
void set_interrupted();
void clear_interrupted();
bool interrupted();

// Throws Error{interrupted} when the flag is set. Cheap: call it once per table or page.
void check_interrupt();

}  // namespace kvmscope
