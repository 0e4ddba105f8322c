// Runs one of the live lab's guests: live_guest NAME [rounds=N] [vcpus=N] [rate=N] [stay=MS]
// [load=1].
#include "tests/lab/guest/report.hpp"
#include "tests/lab/live/guest/scenario.hpp"

#include <sched.h>
#include <sys/prctl.h>
#include <cstdlib>
#include <cstring>

namespace lab {
namespace {

struct Scenario {
  const char* name;
  Habits habits;
};

constexpr Scenario kScenarios[] = {
    {"switch-3", {.tasks = 3}},
    {"switch-4", {.tasks = 4}},
    {"switch-5", {.tasks = 5}},
    {"rewrite", {.tasks = 5, .rewrite_leaves = true, .flood_previous = true}},
    {"rewrite-pdpt", {.tasks = 5, .rewrite_leaves = true, .flood_own_pdpt = true}},
    {"slots", {.tasks = 5, .rewrite_leaves = true, .toggle_slot = true}},
    {"recycle", {.tasks = 5, .rewrite_leaves = true, .shadow_pages = 64}},
};
constexpr const char* kShortLives = "short-lives";
constexpr const char* kResets = "resets";
constexpr const char* kGrowing = "growing";

bool take(const char* argument, const char* name, uint64_t& value) {
  size_t length = std::strlen(name);
  if (std::strncmp(argument, name, length) != 0 || argument[length] != '=') return false;
  char* end = nullptr;
  value = std::strtoull(argument + length + 1, &end, 10);
  return *end == 0;
}

Options parse(char** arguments) {
  Options options;
  uint64_t vcpus = options.vcpus;
  for (char** argument = arguments; *argument; ++argument)
    if (!take(*argument, "rounds", options.rounds) && !take(*argument, "vcpus", vcpus) &&
        !take(*argument, "rate", options.rate) && !take(*argument, "stay", options.stay) &&
        !take(*argument, "load", options.load))
      fail("there is no option '%s'", *argument);
  options.vcpus = static_cast<unsigned>(vcpus);
  return options;
}

// kvmscope inspects live kernels at this priority: a guest that never rests must not have a higher
// one.
void be_idle() {
  sched_param none{};
  if (sched_setscheduler(0, SCHED_IDLE, &none) != 0) fail("sched_setscheduler");
}

}  // namespace
}  // namespace lab

int main(int count, char** arguments) {
  using namespace lab;
  const char* wanted = count >= 2 ? arguments[1] : "";
  prctl(PR_SET_NAME, wanted);
  be_idle();
  if (std::strcmp(wanted, kShortLives) == 0) run_short_lives(kShortLives);
  if (std::strcmp(wanted, kGrowing) == 0) run_growing(kGrowing);
  if (std::strcmp(wanted, kResets) == 0) run_resets(kResets, parse(arguments + 2));
  for (const Scenario& scenario : kScenarios)
    if (std::strcmp(scenario.name, wanted) == 0)
      run_busy_tasks(scenario.name, scenario.habits, parse(arguments + 2));
  fail("there is no guest '%s'", wanted);
}
