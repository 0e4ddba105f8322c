// Folders that the user's environment names.
#pragma once

#include <cstdlib>
#include <string>

namespace kvmscope {

// Of a variable such as XDG_CACHE_HOME; empty: there is none. The XDG specification: a path that is
// not absolute is to be ignored.
inline std::string user_folder(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && value[0] == '/' ? value : "";
}

}  // namespace kvmscope
