// What a made-up /proc and /sys say of modules and build-ids.

#include "core/kernel/live_system.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/base/expect_error.hpp"
#include "tests/support/temporary_tree.hpp"

namespace kvmscope {
namespace {

// namesz, descsz, type, the name and the id; all little-endian.
constexpr std::string_view build_id_note("\4\0\0\0\4\0\0\0\3\0\0\0GNU\0\xde\xad\xbe\xef", 20);
constexpr std::string_view xen_note("\4\0\0\0\4\0\0\0\1\0\0\0Xen\0abcd", 20);

class LiveFiles : public testing::Test {
 protected:
  LiveFiles() {
    tree_.write("proc/kallsyms", std::string_view("ffffffff81000000 T _text\n"));
    write_modules("0xffffffffc0612000", "0xffffffffc0775000");
  }

  void write_modules(std::string_view kvm, std::string_view kvm_amd) {
    std::string text = "ext4 987136 0 - Live 0xffffffffc0500000\n";
    if (!kvm_amd.empty()) text += fmt::format("kvm_amd 217088 0 - Live {}\n", kvm_amd);
    if (!kvm.empty()) text += fmt::format("kvm 1388544 1 kvm_amd, Live {}\n", kvm);
    tree_.write("proc/modules", text);
  }
  LiveSystem open() { return {tree_.path(), {"vm_list"}}; }

  TemporaryTree tree_;
};

TEST_F(LiveFiles, ListsModules) {
  const LiveSystem system = open();
  ASSERT_EQ(system.modules().size(), 3u);
  EXPECT_EQ(system.modules()[2].name, "kvm");
  EXPECT_EQ(system.modules()[2].text, VirtAddr{0xffffffffc0612000});
  EXPECT_EQ(system.modules()[2].text_size, 1388544u);
}

TEST_F(LiveFiles, WithoutModulesHaveNone) {
  std::filesystem::remove(tree_.path() + "/proc/modules");
  EXPECT_TRUE(open().modules().empty());
}

TEST_F(LiveFiles, FindBuildIdsAmongOtherNotes) {
  tree_.write("sys/kernel/notes", std::string(xen_note) + std::string(build_id_note));
  tree_.write("sys/module/kvm_amd/notes/.note.gnu.build-id", build_id_note);
  const LiveSystem system = open();
  EXPECT_EQ(system.build_id("vmlinux"), "deadbeef");
  EXPECT_EQ(system.build_id("kvm-amd"), "deadbeef") << "files use either spelling";
  EXPECT_EQ(system.build_id("kvm"), "") << "no such file";
}

TEST_F(LiveFiles, SurviveNotesThatAreCut) {
  for (std::size_t size = 0; size < build_id_note.size(); ++size) {
    tree_.write("sys/kernel/notes", build_id_note.substr(0, size));
    EXPECT_EQ(open().build_id("vmlinux"), "") << size;
  }
}

TEST_F(LiveFiles, NoticeWhatBecomesOfKvm) {
  const LiveSystem system = open();
  EXPECT_EQ(system.changed(), "");
  write_modules("0xffffffffc0612000", "");
  EXPECT_EQ(system.changed(), "kvm_amd was unloaded");
  write_modules("0xffffffffc0700000", "0xffffffffc0775000");
  EXPECT_EQ(system.changed(), "kvm was loaded again");
  write_modules("", "");
  EXPECT_EQ(system.changed(), "kvm was unloaded");
}

TEST_F(LiveFiles, NoticeThatKvmIsLoadedAgainAtTheSamePlace) {
  tree_.write("sys/module/kvm/initstate", std::string_view("live\n"));
  // Both folders exist at a time: they cannot have the same inode number.
  tree_.write("sys/module/next/initstate", std::string_view("live\n"));
  const LiveSystem system = open();
  EXPECT_EQ(system.changed(), "");
  const std::string modules = tree_.path() + "/sys/module/";
  std::filesystem::rename(modules + "kvm", modules + "before");
  std::filesystem::rename(modules + "next", modules + "kvm");
  EXPECT_EQ(system.changed(), "kvm was loaded again");
}

TEST_F(LiveFiles, NoticeThatKvmIsLoaded) {
  write_modules("", "");
  const LiveSystem system = open();
  write_modules("0xffffffffc0612000", "");
  EXPECT_EQ(system.changed(), "kvm was loaded");
}

TEST_F(LiveFiles, DoNotMindOtherModules) {
  const LiveSystem system = open();
  tree_.write("proc/modules", std::string_view("kvm_amd 217088 0 - Live 0xffffffffc0775000\n"
                                               "kvm 1388544 1 kvm_amd, Live 0xffffffffc0612000\n"));
  EXPECT_EQ(system.changed(), "");
}

TEST_F(LiveFiles, NameTheSettingThatHidesAddresses) {
  tree_.write("proc/kallsyms", std::string_view("0000000000000000 T _text\n"));
  tree_.write("proc/sys/kernel/kptr_restrict", std::string_view("2\n"));
  EXPECT_ERROR(open().symbols().find("_text"), ErrorKind::unavailable,
               "kernel.kptr_restrict is 2)");
}

}  // namespace
}  // namespace kvmscope
