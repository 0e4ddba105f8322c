// Who this process is, and how it stops being root for good.
#pragma once

#include <sys/types.h>

#include <string>

namespace kvmscope {

struct User {
  uid_t uid = 0;
  gid_t gid = 0;
  bool operator==(const User&) const = default;
};

// The kernel's overflow IDs, which own nothing: nobody and nogroup.
constexpr User nobody = {65534, 65534};

// The user behind sudo (SUDO_UID and SUDO_GID), or nobody when there is none or these are not two
// numbers of an ordinary user.
User user_behind_sudo(const char* sudo_uid, const char* sudo_gid);

// The effective user.
User present_user();
// Whether this process is root or has a capability.
bool has_privileges();

// Becomes `user` if it is root, with no other group, no capability in any set, no way to get one
// (no_new_privs) and no core dumps or debuggers, for good. Throws Error{unavailable} that says
// which step failed: then no step can be relied on.
void give_up_privileges(const User& user);

}  // namespace kvmscope
