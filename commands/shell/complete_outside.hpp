// Completion for the user's own shell, where the words of kvmscope's command line are typed.
#pragma once

#include <string>
#include <vector>

#include "commands/command.hpp"

namespace kvmscope {

struct OutsideCandidate {
  enum class Then { blank, nothing, file };
  std::string word;  // instead of the whole last word; of a file: empty
  Then then = Then::blank;
  std::string help;  // may be empty
};

// What the last of the words behind "kvmscope" could become; it may be empty. One candidate of the
// kind `file` says that the shell should complete a file's name. By the declarations alone: opens
// no target and no debug files, so it knows no VMs, types and symbols.
std::vector<OutsideCandidate> complete_outside(const std::vector<Command>& catalogue,
                                               const std::vector<std::string>& words);

}  // namespace kvmscope
