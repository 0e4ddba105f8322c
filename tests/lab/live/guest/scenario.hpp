// What each of the live guests does, and what the command line may change of it.
#pragma once

#include <cstdint>

namespace lab {

struct Options {
  uint64_t rounds = 0;  // of each vCPU through its tasks; 0: for ever
  unsigned vcpus = 1;
  uint64_t rate = 0;  // rounds a second of each vCPU; 0: as many as there can be
  uint64_t load = 0;  // 1: a vCPU loads its root again after each reset
  uint64_t stay = 0;  // milliseconds that a vCPU stays in each task at least
};

// How the tasks of a vCPU treat the page tables, besides walking through them.
struct Habits {
  int tasks;
  bool rewrite_leaves = false;   // KVM makes the leaf tables' shadow pages unsync
  bool flood_previous = false;   // writes to the top table of the task before: KVM zaps its root
  bool flood_own_pdpt = false;   // writes to the own PDPT: KVM zaps the pages of level 3
  bool toggle_slot = false;      // a memslot comes and goes every 100 ms: KVM zaps all
  unsigned shadow_pages = 1000;  // KVM's limit; a low one makes it take pages away all the time
};

// Each vCPU switches CR3 from task to task. Says READY when all run and DONE when the last round of
// all vCPUs is over.
[[noreturn]] void run_busy_tasks(const char* name, const Habits& habits, const Options& options);

// Resets the MMU of each vCPU `rounds` times, and lets KVM load a root each time if that is asked
// for; the guest itself never runs. Says READY, and DONE with the seconds that it took.
[[noreturn]] void run_resets(const char* name, const Options& options);

// A VM that gets another vCPU at each SIGUSR1. Says READY when it has one.
[[noreturn]] void run_growing(const char* name);

// One VM after the other that gets its vCPUs one by one and dies.
[[noreturn]] void run_short_lives(const char* name);

}  // namespace lab
