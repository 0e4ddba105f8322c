// Time, and a vCPU's roots in one read: for programs that sample a kernel while it runs.

#include <time.h>

#include <cmath>

#include "commands/lua/api.hpp"
#include "commands/lua/errors.hpp"
#include "commands/lua/interpreter.hpp"
#include "commands/lua/objects.hpp"
#include "core/base/interrupt.hpp"
#include "core/kvm/root_sampler.hpp"

namespace kvmscope::lua {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

// Ctrl-C between a look at the flag and the sleep would be noticed at its end.
constexpr auto longest_sleep = std::chrono::milliseconds(50);
constexpr double longest_wish = 1e9;  // seconds

int now(lua_State* state) {
  lua_pushnumber(state, Seconds(Clock::now().time_since_epoch()).count());
  return 1;
}

// sleep(SECONDS): what was said so far is shown first.
int sleep(lua_State* state) {
  const double seconds = luaL_checknumber(state, 1);
  if (std::isnan(seconds) || seconds < 0 || seconds > longest_wish)
    throw_error(ErrorKind::usage, "sleep({}): give seconds, 0 or more", seconds);
  Interpreter& self = interpreter(state);
  const Limits::Pause pause(self.limits());
  self.session().console().out->flush();
  const Clock::time_point start = Clock::now();
  const Clock::time_point until =
      start + std::chrono::duration_cast<Clock::duration>(Seconds(seconds));
  for (Clock::duration left; (left = until - Clock::now()) > Clock::duration::zero();) {
    const auto piece = std::min<Clock::duration>(left, longest_sleep).count();
    const timespec duration = {piece / 1'000'000'000, piece % 1'000'000'000};
    nanosleep(&duration, nullptr);
    check_interrupt();
  }
  self.limits().add_slept(Clock::now() - start);
  self.renew_budget();
  return 0;
}

void push_slot(lua_State* state, const kvm::RootSlot& slot) {
  lua_createtable(state, 0, 3);
  if (slot.pgd) {
    lua_pushinteger(state, static_cast<lua_Integer>(*slot.pgd));
    lua_setfield(state, -2, "pgd");
  }
  lua_pushinteger(state, static_cast<lua_Integer>(slot.hpa));
  lua_setfield(state, -2, "hpa");
  lua_pushboolean(state, slot.valid() ? 1 : 0);
  lua_setfield(state, -2, "valid");
}

// sample_roots(vm, vcpu): the current root with .prev, .cr3, .vcpu and .torn.
int sample_roots(lua_State* state) {
  Interpreter& self = interpreter(state);
  const VirtAddr vm{check_address(state, 1)};
  const VirtAddr vcpu{check_address(state, 2)};
  self.need_budget();
  const kvm::RootSample sample = kvm::RootSampler(self.session().kvm()).sample(vm, vcpu);
  push_slot(state, sample.current);
  lua_createtable(state, static_cast<int>(sample.previous.size()), 0);
  lua_Integer number = 0;
  for (const kvm::RootSlot& slot : sample.previous) {
    push_slot(state, slot);
    lua_rawseti(state, -2, ++number);
  }
  lua_setfield(state, -2, "prev");
  lua_pushinteger(state, static_cast<lua_Integer>(sample.cr3));
  lua_setfield(state, -2, "cr3");
  lua_pushinteger(state, static_cast<lua_Integer>(sample.vcpu_id));
  lua_setfield(state, -2, "vcpu");
  lua_pushboolean(state, sample.torn() ? 1 : 0);
  lua_setfield(state, -2, "torn");
  return 1;
}

int is_live(lua_State* state) {
  lua_pushboolean(state, interpreter(state).session().is_live() ? 1 : 0);
  return 1;
}

// exit([STATUS]): 0 when left out; 1: findings.
int exit_program(lua_State* state) {
  const lua_Integer status = luaL_optinteger(state, 1, 0);
  if (status != 0 && status != 1)
    throw_error(ErrorKind::usage, "exit({}): 0 is fine, 1 says that something was found", status);
  interpreter(state).exit(static_cast<int>(status));
  return luaL_error(state, "exit");
}

}  // namespace

void open_sampling(lua_State* state) {
  const luaL_Reg functions[] = {{"now", now},
                                {"sleep", guarded<sleep>},
                                {"sample_roots", guarded<sample_roots>},
                                {"is_live", is_live},
                                {"exit", guarded<exit_program>},
                                {nullptr, nullptr}};
  lua_pushglobaltable(state);
  luaL_setfuncs(state, functions, 0);
  lua_pop(state, 1);
}

}  // namespace kvmscope::lua
