// One Lua 5.4 state: its limits, its sandbox, and how its errors become ours.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <lua.hpp>

#include "commands/lua/limits.hpp"
#include "commands/lua/member_cache.hpp"
#include "commands/shell/session.hpp"

namespace kvmscope::lua {

// Debian's Lua for C++ throws its errors, so that destructors run; nothing may catch (...).
class Interpreter {
 public:
  // Limits and rights are those of the session's settings. The session must outlive it, and keeps
  // its kernel meanwhile: values point into it.
  explicit Interpreter(Session& session);
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  // Runs a program; `name` stands in its errors ("roots.lua:3: …"). Returns the status that it
  // gave to exit(), else 0. Throws Error: of the target as it was, Error{limit} beyond the memory
  // or the time that it may use, Error{usage} for what is wrong with the program.
  int run(std::string_view source, const std::string& name,
          const std::vector<std::string>& arguments = {});
  // Runs a line: an expression, whose values are printed, or statements. None: it is not complete
  // yet, and nothing has run. Throws as run().
  std::optional<int> run_line(std::string_view line);

  Session& session() { return session_; }
  Limits& limits() { return limits_; }
  MemberCache& members() { return members_; }
  // A type by the name that a program gave: looked up once.
  const Type& named_type(const std::string& name);
  // Memory that objects refer to: of the target when there is one.
  const VirtReader& memory();

  // On a kernel that runs: what is read from now on has the whole budget of a command again.
  void renew_budget();
  // The same, where nothing has done so before.
  void need_budget() {
    if (!has_budget_) renew_budget();
  }

  // Ends the program, whatever it does: no pcall() of its goes on. `state` raises the error.
  void end() { ending_ = true; }
  void exit(int status) {
    exit_status_ = status;
    ending_ = true;
  }
  bool is_ending() const { return ending_; }

 private:
  // Runs `body` in a protected call.
  int call(const std::function<void(lua_State*)>& body);
  Error error_on_top(int status) const;

  Session& session_;
  Session::KeptKernel kept_;
  Limits limits_;
  MemberCache members_;
  std::map<std::string, const Type*, std::less<>> types_;
  std::optional<int> exit_status_;
  bool ending_ = false;
  bool has_budget_ = false;
  std::unique_ptr<lua_State, void (*)(lua_State*)>
      state_;  // the last: what it holds uses the others
};

// The interpreter that a state belongs to.
inline Interpreter& interpreter(lua_State* state) {
  return **static_cast<Interpreter**>(lua_getextraspace(state));
}

}  // namespace kvmscope::lua
