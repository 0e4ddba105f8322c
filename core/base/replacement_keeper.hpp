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
  int file;  // the temporary one
  int lock;
  std::string name;  // that the file gets in the folder
};

// For a process that was just forked. It can read and write what it has open, sync, rename and
// remove, and nothing else. It says one byte when it is ready; for one byte it syncs and renames,
// and answers with an int, 0 or an errno. When the other end closes, it removes what was not
// renamed, and ends.
[[noreturn]] void keep_replacement(const Replacement& replacement);

}  // namespace kvmscope
