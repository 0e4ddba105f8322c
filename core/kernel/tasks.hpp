// Tasks behind KVM's objects: the owner of an mm, the thread behind a struct pid.
#pragma once

#include <optional>
#include <string>

#include "core/kernel/fields.hpp"

namespace kvmscope {

// struct task_struct, include/linux/sched.h.
struct TaskFields : FieldGroup {
  explicit TaskFields(const Types& types) : FieldGroup(types, "struct task_struct") {}
  Field pid = field({"pid"});
  Field tgid = field({"tgid"});
  Field comm = field({"comm"});
  Field state = field({
      "__state",
      "state",  // until 2f064a59a11f (v5.14)
  });
  Field exit_state = field({"exit_state"});
  Field cgroups = optional({"cgroups"});  // CONFIG_CGROUPS
  // Threads are linked into their struct pid here.
  Field pid_links = place({"pid_links"});
};

// struct mm_struct, include/linux/mm_types.h.
struct MmFields : FieldGroup {
  explicit MmFields(const Types& types) : FieldGroup(types, "struct mm_struct") {}
  Field pgd = field({"pgd"});
  Field owner = optional({"owner"});  // CONFIG_MEMCG
};

// struct pid, include/linux/pid.h.
struct PidFields : FieldGroup {
  explicit PidFields(const Types& types) : FieldGroup(types, "struct pid") {}
  Field thread = field({"tasks[0].first"});  // PIDTYPE_PID is 0
  Field number = field({"numbers[0].nr"});   // in the first namespace: the host's
};

// include/linux/cgroup-defs.h, include/linux/kernfs.h.
struct CssSetFields : FieldGroup {
  explicit CssSetFields(const Types& types) : FieldGroup(types, "struct css_set") {}
  Field cgroup = optional({"dfl_cgrp"});
};
struct CgroupFields : FieldGroup {
  explicit CgroupFields(const Types& types) : FieldGroup(types, "struct cgroup") {}
  Field node = optional({"kn"});
};
struct KernfsNodeFields : FieldGroup {
  explicit KernfsNodeFields(const Types& types) : FieldGroup(types, "struct kernfs_node") {}
  Field parent = optional({
      "__parent",
      "parent",  // until 633488947ef6 (v6.15)
  });
  Field name = optional({"name"});
};

struct Task {
  VirtAddr address;
  std::int64_t pid = 0;   // the thread's id in the host
  std::int64_t tgid = 0;  // the process's
  std::string comm;
  std::string state;  // as ps shows it: R, S, D, T, t, X, Z, P, I
};

class Tasks {
 public:
  Tasks(const Types& types, const VirtReader& memory) : types_(types), memory_(memory) {}

  Task task(VirtAddr address) const;
  // mm->owner; none when the process is gone or the kernel does not record it.
  std::optional<Task> owner(VirtAddr mm) const;
  // The host-wide number of a struct pid, and the thread behind it (none: it is gone).
  std::int64_t pid_number(VirtAddr pid) const;
  std::optional<Task> thread(VirtAddr pid) const;
  // The path in the cgroup2 hierarchy, "/" at its root; none when types or pointers are missing.
  std::optional<std::string> cgroup(VirtAddr task) const;

 private:
  const TaskFields& fields() const;
  const PidFields& pid_fields() const;

  const Types& types_;
  const VirtReader& memory_;
  mutable std::optional<TaskFields> task_fields_;
  mutable std::optional<PidFields> pid_fields_;
};

// A NUL-terminated string of at most `limit` bytes.
std::string read_string(const VirtReader& memory, VirtAddr at, std::size_t limit = 256);

}  // namespace kvmscope
