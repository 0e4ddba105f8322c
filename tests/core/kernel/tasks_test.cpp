// Tasks behind KVM's objects, in kernels built in memory.

#include "core/kernel/tasks.hpp"

#include <gtest/gtest.h>

#include "tests/core/base/expect_error.hpp"
#include "tests/support/fake_kernel.hpp"

namespace kvmscope {
namespace {

class TasksTest : public testing::Test {
 protected:
  TasksTest() : vm_(kernel_.add_vm({.pid = 95, .comm = "qemu"})), vcpu_(vm_.add_vcpu(2)) {}

  const Tasks& tasks() { return kernel_.kvm().tasks(); }
  FakeMemory& memory() { return kernel_.memory(); }
  VirtAddr mm() { return {memory().get(vm_.address(), "kvm", "mm")}; }

  FakeKernel kernel_;
  FakeVm& vm_;
  FakeVcpu& vcpu_;
};

TEST_F(TasksTest, FindTheOwnerOfAnMm) {
  const std::optional<Task> owner = tasks().owner(mm());
  ASSERT_TRUE(owner);
  EXPECT_EQ(owner->pid, 95);
  EXPECT_EQ(owner->comm, "qemu");
}

TEST_F(TasksTest, HaveNoOwnerOfAProcessThatIsGone) {
  memory().set(mm(), "mm_struct", "owner", 0);
  EXPECT_FALSE(tasks().owner(mm()));
  EXPECT_FALSE(tasks().owner({0}));
}

TEST_F(TasksTest, FindTheThreadBehindAPid) {
  EXPECT_EQ(tasks().pid_number(vcpu_.pid()), 102);
  const std::optional<Task> thread = tasks().thread(vcpu_.pid());
  ASSERT_TRUE(thread);
  EXPECT_EQ(thread->address, vcpu_.task());
  EXPECT_EQ(thread->pid, 102);
  EXPECT_EQ(thread->tgid, 95);
  EXPECT_EQ(thread->comm, "CPU 2/KVM");
}

TEST_F(TasksTest, HaveNoThreadWhenItIsGone) {
  memory().set(vcpu_.pid(), "pid", "tasks[0].first", 0);
  EXPECT_FALSE(tasks().thread(vcpu_.pid()));
}

TEST_F(TasksTest, ShowTheStateAsPsDoes) {
  const auto state = [&](std::uint64_t state, std::uint64_t exit_state = 0) {
    memory().set(vcpu_.task(), "task_struct", "__state", state);
    memory().set(vcpu_.task(), "task_struct", "exit_state", exit_state);
    return tasks().task(vcpu_.task()).state;
  };
  EXPECT_EQ(state(0), "R");
  EXPECT_EQ(state(1), "S");
  EXPECT_EQ(state(2), "D");
  EXPECT_EQ(state(0x402), "I");  // uninterruptible, but no load
  EXPECT_EQ(state(0x102), "D");  // killable
  EXPECT_EQ(state(4), "T");
  EXPECT_EQ(state(8), "t");
  EXPECT_EQ(state(0x80, 0x10), "X");
  EXPECT_EQ(state(0x80, 0x20), "Z");
  EXPECT_EQ(state(0x10000), "0x10000");
}

TEST_F(TasksTest, SayWhichOneIsMissing) {
  memory().leave_out(vcpu_.task(), 64);
  EXPECT_ERROR(tasks().task(vcpu_.task()), ErrorKind::fault, "reading task 0x");
  EXPECT_ERROR(tasks().thread(vcpu_.pid()), ErrorKind::fault, "reading task 0x");
}

TEST_F(TasksTest, FindTheCgroup) {
  EXPECT_EQ(tasks().cgroup(tasks().owner(mm())->address), "/vms/one");
  FakeKernel root;
  root.add_vm({.cgroup = "/"});
  const VirtAddr mm{root.memory().get(root.vm().address, "kvm", "mm")};
  EXPECT_EQ(root.kvm().tasks().cgroup(root.kvm().tasks().owner(mm)->address), "/");
}

TEST_F(TasksTest, HaveNoCgroupWithoutOne) {
  EXPECT_EQ(tasks().cgroup(vcpu_.task()), std::nullopt);  // its pointer is NULL
}

TEST_F(TasksTest, RefuseACgroupThatHasNoRoot) {
  const VirtAddr task = tasks().owner(mm())->address;
  const VirtAddr set{memory().get(task, "task_struct", "cgroups")};
  const VirtAddr group{memory().get(set, "css_set", "dfl_cgrp")};
  const VirtAddr node{memory().get(group, "cgroup", "kn")};
  memory().set(node, "kernfs_node", "parent", node.value);
  EXPECT_ERROR(tasks().cgroup(task), ErrorKind::corrupt, "deeper than");
}

TEST_F(TasksTest, SayThatACgroupIsMissing) {
  const VirtAddr task = tasks().owner(mm())->address;
  memory().leave_out({memory().get(task, "task_struct", "cgroups")}, 64);
  EXPECT_ERROR(tasks().cgroup(task), ErrorKind::fault, "no such memory");
}

// ---- strings

TEST(ReadString, EndsAtTheNulOrTheLimit) {
  BufferReader<VirtAddr> memory;
  memory.add({0x1ffd}, std::string_view("abcdef\0gh", 9));
  EXPECT_EQ(read_string(memory, {0x1ffd}, 6), "abcdef");
  EXPECT_EQ(read_string(memory, {0x1ffd}, 4), "abcd");  // over the end of a page
  EXPECT_EQ(read_string(memory, {0x1ffd}, 0), "");
}

TEST(ReadString, DoesNotNeedThePageBehindItsEnd) {
  BufferReader<VirtAddr> memory;
  memory.add({0x1ffc}, std::string_view("abc\0", 4));
  EXPECT_EQ(read_string(memory, {0x1ffc}), "abc");
}

TEST(ReadString, SaysThatItsMemoryIsMissing) {
  BufferReader<VirtAddr> memory;
  memory.add({0x1ffc}, std::string_view("abcd"));
  EXPECT_ERROR(read_string(memory, {0x1ffc}), ErrorKind::fault, "no such memory at 0x2000");
}

}  // namespace
}  // namespace kvmscope
