// Runs something in a process of its own, for what cannot be undone: identities, filters.
#pragma once

#include <functional>
#include <string>

namespace kvmscope {

// What `body` returns in a child of this process; how the child ended when it was not by returning.
std::string in_child(const std::function<std::string()>& body);

}  // namespace kvmscope
