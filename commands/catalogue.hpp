// The commands that this program has, one line each.
#pragma once

#include <vector>

#include "commands/command.hpp"

namespace kvmscope {

// All commands, in the order in which `help` lists them.
std::vector<Command> catalogue();

// Each in its own file.
Command vms();
Command vcpus();
Command roots();
Command pages();
Command slots();
Command levels();
Command counts();
Command tree();
Command path();
Command unsync();
Command rmap();
Command parents();
Command spte();
Command translate();
Command guest();
Command why();
Command huge();
Command stats();
Command audit();
Command layout();
Command info();
Command print();
Command type();
Command symbol();
Command read();
Command list();
Command watch();
Command trace();
Command snapshot();
Command diff();
Command timeline();
Command metrics();
Command lua_code();
Command run_program();
Command help();
Command set();
Command source();
Command history();
Command quit();

}  // namespace kvmscope
