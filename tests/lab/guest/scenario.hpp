// The processes of each scenario, and how one of them says that its guests are where they should
// be.
#pragma once

#include <vector>

namespace lab {

// An owner of VMs: build makes them, runs the guests and ends in park().
struct Process {
  const char* name;
  void (*build)();
};

// Tells the runner that this process's guests rest; its VMs and their MMU state then stay as they
// are.
[[noreturn]] void park();

// Of the scenarios `splits`, too: VMs whose writes are logged, and one with many memslots.
void build_logged_process();
void build_layout_process();

std::vector<Process> shadow_processes();
std::vector<Process> tdp_processes();
std::vector<Process> modes_processes();
std::vector<Process> splits_processes();
std::vector<Process> nested_processes();
std::vector<Process> big_shadow_processes();
std::vector<Process> big_tdp_processes();

}  // namespace lab
