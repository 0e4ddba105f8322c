// A loaded module of a fake kernel: struct module, its symbol table and its build-id note.
#pragma once

#include <string>
#include <vector>

#include "core/types/source.hpp"
#include "tests/support/fake_kernel_memory.hpp"

namespace kvmscope {

struct FakeModule {
  std::string name;
  std::string build_id = "";         // hex; empty: no note
  std::vector<Symbol> symbols = {};  // absolute addresses; type in upper case: global
  bool has_kallsyms = true;
};

struct FakeModulePlaces {
  VirtAddr module;    // struct module
  VirtAddr rodata;    // a page with the note at its start
  VirtAddr kallsyms;  // struct mod_kallsyms
};

// Puts it at the end of the list of modules at `head`.
FakeModulePlaces add_module(FakeMemory& memory, const FakeModule& module, VirtAddr head);

}  // namespace kvmscope
