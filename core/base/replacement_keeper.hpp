// The process that puts a ReplacedFile in place, or removes what came of it.
#pragma once

#include <string>

namespace kvmscope {

// In the folder of a replaced file, while it is written.
inline constexpr const char* replacement_lock = ".kvmscope.lock";
inline constexpr const char* replacement_temporary = ".kvmscope.tmp";

// Descriptors that it inherits.
struct Replacement {
  int socket;
  int folder;
  int lock;
  std::string name;  // that the file gets in the folder
};

// For a process that was just forked. It can sync the folder, rename and remove, and nothing else.
// It says one byte when it is ready; for one byte it renames the temporary file and answers with an
// int, 0 or an errno. When the other end closes, it removes what was not renamed, and ends.
[[noreturn]] void keep_replacement(const Replacement& replacement);

}  // namespace kvmscope
