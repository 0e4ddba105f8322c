#include "commands/catalogue.hpp"

namespace kvmscope {

// clang-format off
std::vector<Command> catalogue() {
  return {
      vms(),
      vcpus(),
      roots(),
      pages(),
      slots(),
      levels(),
      counts(),
      tree(),
      path(),
      unsync(),
      rmap(),
      parents(),
      spte(),
      translate(),
      guest(),
      why(),
      huge(),
      stats(),
      audit(),
      layout(),
      info(),
      print(),
      type(),
      symbol(),
      read(),
      list(),
      watch(),
      trace(),
      snapshot(),
      diff(),
      timeline(),
      metrics(),
      lua_code(),
      run_program(),
      help(),
      set(),
      source(),
      history(),
      quit(),
  };
}
// clang-format on

}  // namespace kvmscope
