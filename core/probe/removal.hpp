// Takes out of tracefs what a run of ours put there, in the order that the kernel wants.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/probe/run_name.hpp"
#include "core/probe/tracefs.hpp"

namespace kvmscope::probe {

// Removes the instance and then the events of a run; what is not there is fine. Waits up to
// `patience_ms` for a process that holds a file of the instance. Returns what could not be
// removed, and why; empty: tracefs is as it was. Throws nothing.
std::vector<std::string> remove_run(Tracefs& tracefs, const std::string& name,
                                    unsigned patience_ms);

// The names of runs that left something behind: their process does not run any more.
std::vector<std::string> left_behind(const Tracefs& tracefs,
                                     const std::function<bool(const RunName&)>& runs = is_running);

}  // namespace kvmscope::probe
