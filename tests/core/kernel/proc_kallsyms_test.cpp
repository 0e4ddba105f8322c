// /proc/kallsyms of a made-up kernel: what one pass finds, and what costs another.

#include "core/kernel/proc_kallsyms.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/base/expect_error.hpp"
#include "tests/support/temporary_tree.hpp"

namespace kvmscope {
namespace {

using testing::ElementsAre;

constexpr std::string_view symbols =
    "0000000000000000 A fixed_percpu_data\n"
    "ffffffff81000000 T _text\n"
    "ffffffff81000100 t helper\n"
    "ffffffff81000200 t helper\n"
    "ffffffff82000000 D vmemmap_base\n"
    "ffffffffc0600000 t ext_read\t[ext4]\n"
    "ffffffffc0612000 t kvm_init\t[kvm]\n"
    "ffffffffc06c7a60 D vm_list\t[kvm]\n"
    "ffffffffc0775000 t svm_init\t[kvm_amd]\n"
    "ffffffffc0800000 t ftrace_trampoline\t[__builtin__ftrace]\n";

class ProcSymbols : public testing::Test {
 protected:
  ProcSymbols() { write(symbols); }

  void write(std::string_view text) { tree_.write("kallsyms", text); }
  ProcKallsyms open(const std::string& kptr_restrict = "0") {
    return {
        tree_.path() + "/kallsyms", {"vmemmap_base", "vm_list"}, {"kvm", "kvm_amd"}, kptr_restrict};
  }

  TemporaryTree tree_;
};

TEST_F(ProcSymbols, KnowsWhatWasWantedAndKvmsModulesAfterOnePass) {
  const ProcKallsyms kallsyms = open();
  EXPECT_EQ(kallsyms.find("vmlinux", "vmemmap_base")->address, 0xffffffff82000000);
  write("");
  EXPECT_EQ(kallsyms.find("kvm", "vm_list")->address, 0xffffffffc06c7a60);
  EXPECT_EQ(kallsyms.find("kvm_amd", "svm_init")->address, 0xffffffffc0775000);
  EXPECT_EQ(kallsyms.find("vmlinux", "vm_list"), std::nullopt) << "it is kvm's";
  EXPECT_EQ(kallsyms.find("kvm", "svm_init"), std::nullopt);
}

TEST_F(ProcSymbols, IsNotReadBeforeSomethingIsAsked) {
  write("");
  const ProcKallsyms kallsyms = open();
  write(symbols);
  EXPECT_EQ(kallsyms.find("vmlinux", "vmemmap_base")->address, 0xffffffff82000000);
}

TEST_F(ProcSymbols, TellsTheSameNameInTwoModulesApart) {
  write(
      "ffffffff81000000 T _text\n"
      "ffffffffc0775000 t init\t[kvm_amd]\n"
      "ffffffffc0612000 t init\t[kvm]\n"
      "ffffffffc0612100 t init\t[kvm]\n");
  const ProcKallsyms kallsyms = open();
  EXPECT_EQ(kallsyms.find("kvm_amd", "init")->address, 0xffffffffc0775000);
  write("");
  EXPECT_EQ(kallsyms.find("kvm", "init")->address, 0xffffffffc0612000) << "the first of two";
  EXPECT_EQ(kallsyms.find("kvm", "initialise"), std::nullopt);
}

TEST_F(ProcSymbols, FindsAnyNameWithAPassMore) {
  const ProcKallsyms kallsyms = open();
  const std::optional<Symbol> text = kallsyms.find("_text");
  ASSERT_TRUE(text);
  EXPECT_EQ(text->address, 0xffffffff81000000);
  EXPECT_EQ(text->type, 'T');
  EXPECT_EQ(text->module, "");
  EXPECT_EQ(kallsyms.find("ext_read")->module, "ext4");
  EXPECT_EQ(kallsyms.find("kvm_init")->module, "kvm");
  EXPECT_EQ(kallsyms.find("helper")->address, 0xffffffff81000100) << "the first of two";
  EXPECT_EQ(kallsyms.find("no_such_name"), std::nullopt);
}

TEST_F(ProcSymbols, DoesNotRememberWhereOtherModulesAre) {
  const ProcKallsyms kallsyms = open();
  EXPECT_EQ(kallsyms.find("ext4", "ext_read")->address, 0xffffffffc0600000);
  write("ffffffffc0900000 t ext_read\t[ext4]\n");
  EXPECT_EQ(kallsyms.find("ext4", "ext_read")->address, 0xffffffffc0900000);
}

TEST_F(ProcSymbols, FindsTheSymbolBeforeAnAddress) {
  const ProcKallsyms kallsyms = open();
  EXPECT_EQ(kallsyms.nearest(0xffffffff81000180)->name, "helper");
  EXPECT_EQ(kallsyms.nearest(0xffffffffc0612004)->name, "kvm_init");
  EXPECT_EQ(kallsyms.nearest(0xffffffffc0612004)->module, "kvm");
  write("ffffffffc0612000 t other\t[kvm]\n");
  EXPECT_EQ(kallsyms.nearest(0xffffffffc0612004)->name, "kvm_init");
  kallsyms.forget();
  EXPECT_EQ(kallsyms.nearest(0xffffffffc0612004)->name, "other");
}

TEST_F(ProcSymbols, CompletesNames) {
  const ProcKallsyms kallsyms = open();
  EXPECT_THAT(kallsyms.names("kvm", 10), ElementsAre("kvm_init"));
  EXPECT_THAT(kallsyms.names("v", 1), ElementsAre("vm_list"));
}

TEST_F(ProcSymbols, SaysThatAddressesAreHidden) {
  write("0000000000000000 T _text\n0000000000000000 D vm_list\t[kvm]\n");
  EXPECT_ERROR(open("2\n").find("vm_list"), ErrorKind::unavailable, "kernel.kptr_restrict is 2");
  EXPECT_ERROR(open("").find("kvm", "vm_list"), ErrorKind::unavailable, "CAP_SYSLOG");
  EXPECT_ERROR(open("").nearest(0xffffffff81000000), ErrorKind::unavailable, "CAP_SYSLOG");
  EXPECT_ERROR(open("").names("vm", 10), ErrorKind::unavailable, "CAP_SYSLOG");
}

TEST_F(ProcSymbols, SkipsLinesThatAreNone) {
  write(
      "nonsense\n\nffffffff82000000 D vmemmap_base\nffffffff8300 X\n[kvm]\n"
      "ffffffffc06c7a60 D vm_list\t[");
  const ProcKallsyms kallsyms = open();
  EXPECT_EQ(kallsyms.find("vmlinux", "vmemmap_base")->address, 0xffffffff82000000);
}

TEST_F(ProcSymbols, NeedsTheFile) {
  EXPECT_ERROR(ProcKallsyms(tree_.path() + "/none", {}, {}, "0"), ErrorKind::unavailable,
               "No such file");
}

}  // namespace
}  // namespace kvmscope
