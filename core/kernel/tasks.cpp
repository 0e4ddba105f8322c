#include "core/kernel/tasks.hpp"

#include <algorithm>
#include <array>

#include "core/base/error.hpp"

namespace kvmscope {
namespace {

constexpr int deepest_cgroup = 64;

// fs/proc/array.c, task_state_array; the bits of include/linux/sched.h.
struct StateBit {
  std::uint64_t mask;
  std::string_view letter;
};
constexpr std::array<StateBit, 8> state_bits = {{{0x1, "S"},
                                                 {0x402, "I"},
                                                 {0x2, "D"},
                                                 {0x4, "T"},
                                                 {0x8, "t"},
                                                 {0x10, "X"},
                                                 {0x20, "Z"},
                                                 {0x40, "P"}}};

std::string state_letter(std::uint64_t state) {
  if (state == 0) return "R";
  for (const StateBit& bit : state_bits)
    if ((state & bit.mask) == bit.mask) return std::string(bit.letter);
  return fmt::format("{:#x}", state);
}

}  // namespace

std::string read_string(const VirtReader& memory, VirtAddr at, std::size_t limit) {
  std::string text;
  while (text.size() < limit) {
    // Up to the end of the page: the next one may be missing.
    const std::uint64_t next = at.value + text.size();
    const std::uint64_t size =
        std::min<std::uint64_t>(limit - text.size(), page_size - (next & page_offset_mask));
    std::vector<std::byte> chunk(size);
    memory.read({next}, chunk);
    const std::string part = text_of(chunk);
    text += part;
    if (part.size() < size) break;
  }
  return text;
}

const TaskFields& Tasks::fields() const {
  if (!task_fields_) task_fields_.emplace(types_);
  return *task_fields_;
}

const PidFields& Tasks::pid_fields() const {
  if (!pid_fields_) pid_fields_.emplace(types_);
  return *pid_fields_;
}

Task Tasks::task(VirtAddr address) const {
  return with_context([&] { return fmt::format("reading task {:#x}", address.value); },
                      [&] {
                        const StructCopy copy(fields(), memory_, address);
                        return Task{
                            address, copy.get_signed(fields().pid), copy.get_signed(fields().tgid),
                            text_of(copy.bytes(fields().comm)),
                            state_letter(copy.get(fields().state) | copy.get(fields().exit_state))};
                      });
}

std::optional<Task> Tasks::owner(VirtAddr mm) const {
  const MmFields mm_fields(types_);
  if (mm.value == 0 || !mm_fields.owner.present()) return std::nullopt;
  const VirtAddr owner{memory_.u64(mm + mm_fields.owner.offset)};
  if (owner.value == 0) return std::nullopt;
  return task(owner);
}

std::int64_t Tasks::pid_number(VirtAddr pid) const {
  return StructCopy(pid_fields(), memory_, pid).get_signed(pid_fields().number);
}

std::optional<Task> Tasks::thread(VirtAddr pid) const {
  const VirtAddr node = StructCopy(pid_fields(), memory_, pid).pointer(pid_fields().thread);
  if (node.value == 0) return std::nullopt;
  require(fields().pid_links);
  return task(node - fields().pid_links.offset);
}

std::optional<std::string> Tasks::cgroup(VirtAddr task) const {
  const CssSetFields set(types_);
  const CgroupFields group(types_);
  const KernfsNodeFields kernfs(types_);
  if (!fields().cgroups.present() || !set.cgroup.present() || !group.node.present() ||
      !kernfs.parent.present() || !kernfs.name.present())
    return std::nullopt;
  VirtAddr at = StructCopy(fields(), memory_, task).pointer(fields().cgroups);
  if (at.value == 0) return std::nullopt;
  at = {memory_.u64(at + set.cgroup.offset)};
  if (at.value == 0) return std::nullopt;
  VirtAddr node{memory_.u64(at + group.node.offset)};
  std::string path;
  for (int depth = 0; node.value != 0; ++depth) {
    if (depth == deepest_cgroup)
      throw_error(ErrorKind::corrupt, "the cgroup of task {:#x} is deeper than {}", task.value,
                  deepest_cgroup);
    const StructCopy copy(kernfs, memory_, node);
    const VirtAddr parent = copy.pointer(kernfs.parent);
    // The root's own name is empty or "/".
    if (parent.value != 0)
      path = fmt::format("/{}{}", read_string(memory_, copy.pointer(kernfs.name)), path);
    node = parent;
  }
  return path.empty() ? "/" : path;
}

}  // namespace kvmscope
