#include "core/base/privilege.hpp"

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

#include "core/base/error.hpp"

namespace kvmscope {
namespace {

// Two sets of 32 capabilities each (_LINUX_CAPABILITY_VERSION_3).
using Capabilities = std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3>;

__user_cap_header_struct this_process() {
  return {_LINUX_CAPABILITY_VERSION_3, 0};
}

void check(bool done, std::string_view step) {
  if (done) return;
  throw_error(
      ErrorKind::unavailable,
      "cannot give up root ({}: {}): run kvmscope as an ordinary user, or with sudo outside "
      "this container",
      step, std::strerror(errno));
}

// A number of an ordinary user or group: not root's, and not -1, which setresuid() ignores.
std::optional<unsigned> ordinary_id(const char* text) {
  if (text == nullptr) return std::nullopt;
  const std::string_view digits(text);
  unsigned id = 0;
  const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), id);
  if (digits.empty() || result.ec != std::errc() || result.ptr != digits.data() + digits.size())
    return std::nullopt;
  if (id == 0 || id == static_cast<unsigned>(-1)) return std::nullopt;
  return id;
}

void empty_bounding_set() {
  // EINVAL: the kernel has no more.
  for (unsigned long capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability)
    if (prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 1)
      check(prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0, "empty the bounding set");
}

void become(const User& user) {
  check(setgroups(0, nullptr) == 0, "setgroups");
  check(setresgid(user.gid, user.gid, user.gid) == 0, "setresgid");
  check(setresuid(user.uid, user.uid, user.uid) == 0, "setresuid");
}

void drop_capabilities() {
  __user_cap_header_struct header = this_process();
  const Capabilities none{};
  check(syscall(SYS_capset, &header, none.data()) == 0, "capset");
}

}  // namespace

User user_behind_sudo(const char* sudo_uid, const char* sudo_gid) {
  const std::optional<unsigned> uid = ordinary_id(sudo_uid);
  const std::optional<unsigned> gid = ordinary_id(sudo_gid);
  return uid && gid ? User{*uid, *gid} : nobody;
}

User present_user() {
  return {geteuid(), getegid()};
}

bool has_privileges() {
  __user_cap_header_struct header = this_process();
  Capabilities sets{};
  check(syscall(SYS_capget, &header, sets.data()) == 0, "capget");
  for (const __user_cap_data_struct& set : sets)
    if (set.permitted != 0) return true;
  return geteuid() == 0 || getuid() == 0;
}

void give_up_privileges(const User& user) {
  check(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0, "ambient capabilities");
  if (geteuid() == 0) {
    empty_bounding_set();
    become(user);
  }
  drop_capabilities();
  check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
  check(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0, "not dumpable");
  // What the kernel says now counts, not what it answered on the way.
  check(!has_privileges() && setuid(0) != 0, "still root");
}

}  // namespace kvmscope
