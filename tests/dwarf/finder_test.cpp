// Which debug file is taken, and why others are not.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.hpp"
#include "dwarf/debug_file.hpp"
#include "dwarf/finder.hpp"
#include "tests/dwarf/compiled_file.hpp"

namespace kvmscope {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kvm_folder = "lib/modules/6.1.0/kernel/arch/x86/kvm/";

class FinderTest : public testing::Test {
 protected:
  // A module whose build-id depends on `value`.
  std::string module(const std::string& name, int value = 1, bool with_types = true) {
    return folder_.module(name,
                          {{"unit.c", fmt::format("struct kvm {{ int a; }}; int v = {};"
                                                  "struct kvm instance;",
                                                  value)}},
                          with_types ? "gcc -gdwarf-5" : "gcc");
  }
  std::string in_folder(const std::string& name) { return kvm_folder + name; }
  static std::string build_id(const std::string& path) { return open_debug_file(path)->build_id(); }
  // With no system folders unless a test makes them in root/.
  DebugSearch find(std::vector<std::string> paths, std::string_view module,
                   std::string_view release = "", std::string_view build_id = "") {
    return make_debug_finder(std::move(paths), folder_.path("root"))
        ->find(module, release, build_id);
  }
  static std::string found(const DebugSearch& search) {
    return search.file ? search.file->path() : "nothing";
  }

  TemporaryFolder folder_;
};

TEST_F(FinderTest, AFileThatWasGivenIsTakenByItsName) {
  const std::string kvm = module("a/kvm.ko");
  const std::string amd = module("a/kvm_amd.ko.debug");
  EXPECT_EQ(found(find({kvm, amd}, "kvm")), kvm);
  EXPECT_EQ(found(find({kvm, amd}, "kvm-amd")), amd);
  EXPECT_EQ(found(find({kvm, amd}, "kvm_amd")), amd);
  EXPECT_EQ(found(find({kvm, amd}, "kvm-intel")), "nothing");
}

TEST_F(FinderTest, ModulesLieUnderTheirRelease) {
  const std::string kvm = module(in_folder("kvm.ko"));
  EXPECT_EQ(found(find({folder_.path()}, "kvm", "6.1.0")), kvm);
  EXPECT_EQ(found(find({folder_.path()}, "kvm", "6.12.0")), "nothing");
}

TEST_F(FinderTest, TheOnlyReleaseIsTakenWhenNoneIsKnown) {
  const std::string kvm = module(in_folder("kvm.ko"));
  EXPECT_EQ(found(find({folder_.path()}, "kvm")), kvm);
  module("lib/modules/6.12.0/kernel/arch/x86/kvm/kvm.ko", 2);
  const DebugSearch search = find({folder_.path()}, "kvm");
  EXPECT_EQ(found(search), "nothing");
  EXPECT_THAT(search.rejected, ElementsAre(HasSubstr("several kernels")));
}

TEST_F(FinderTest, AFileDirectlyInTheFolderIsTaken) {
  const std::string kvm = module("kvm.ko.debug");
  EXPECT_EQ(found(find({folder_.path()}, "kvm", "6.1.0")), kvm);
}

TEST_F(FinderTest, AFileDeeperInTheFolderIsNot) {
  module("deeper/kvm.ko");
  EXPECT_EQ(found(find({folder_.path()}, "kvm", "6.1.0")), "nothing");
}

TEST_F(FinderTest, ABuildIdNamesTheFile) {
  const std::string id = build_id(module("kvm.ko"));
  const std::string path =
      folder_.path(fmt::format("debug/.build-id/{}/{}.debug", id.substr(0, 2), id.substr(2)));
  folder_.run(fmt::format("mkdir -p $(dirname {0}) && mv kvm.ko {0}", path));
  EXPECT_EQ(found(find({folder_.path("debug")}, "kvm", "", id)), path);
}

TEST_F(FinderTest, VmlinuxLiesInBoot) {
  const std::string vmlinux = folder_.kernel("boot/vmlinux-6.1.0", "int init_task;");
  folder_.kernel("boot/vmlinux-6.12.0", "int init_task = 2;");
  EXPECT_EQ(found(find({folder_.path()}, "vmlinux", "6.1.0")), vmlinux);
}

TEST_F(FinderTest, AnUnpackedDebugPackageIsLookedInto) {
  const std::string kvm = module("usr/lib/debug/" + in_folder("kvm.ko"));
  EXPECT_EQ(found(find({folder_.path()}, "kvm", "6.1.0")), kvm);
}

TEST_F(FinderTest, AnotherBuildIsRejectedWithBothIds) {
  const std::string kvm = module("kvm.ko");
  const DebugSearch search = find({kvm}, "kvm", "", std::string(40, 'a'));
  EXPECT_EQ(found(search), "nothing");
  ASSERT_EQ(search.rejected.size(), 1u);
  EXPECT_THAT(search.rejected[0], HasSubstr(build_id(kvm)));
  EXPECT_THAT(search.rejected[0], HasSubstr(std::string(40, 'a')));
  EXPECT_THAT(search.tried, Contains(kvm));
}

TEST_F(FinderTest, TheRightBuildIsFoundBehindAWrongOne) {
  const std::string wrong = module("wrong/kvm.ko", 1);
  const std::string right = module("right/kvm.ko", 2);
  EXPECT_EQ(found(find({wrong, right}, "kvm", "", build_id(right))), right);
}

TEST_F(FinderTest, AFileWithoutTypesIsTakenOnlyWhenNoneHasThem) {
  const std::string plain = module("plain/kvm.ko", 1, false);
  const std::string debug = module("debug/kvm.ko");
  EXPECT_EQ(found(find({plain, debug}, "kvm")), debug);
  EXPECT_EQ(found(find({plain}, "kvm")), plain);
}

TEST_F(FinderTest, ADamagedFileDoesNotHideAGoodOne) {
  const std::string damaged = folder_.write("damaged/kvm.ko", "nothing of use");
  const std::string good = module("kvm.ko");
  const DebugSearch search = find({damaged, good}, "kvm");
  EXPECT_EQ(found(search), good);
  EXPECT_THAT(search.rejected, ElementsAre(HasSubstr(damaged)));
}

TEST_F(FinderTest, AFileWithANameOfItsOwnIsJudgedByItsContent) {
  const std::string kernel = folder_.kernel("my-kernel", "int init_task;");
  const std::string kvm = module("something.debug");
  EXPECT_EQ(found(find({kvm, kernel}, "vmlinux")), kernel);
  EXPECT_EQ(found(find({kernel, kvm}, "kvm", "", build_id(kvm))), kvm);
  EXPECT_EQ(found(find({kvm}, "kvm")), "nothing");
}

TEST_F(FinderTest, TheSystemsFoldersAreLookedAtWithoutAPath) {
  const std::string plain = module("root/" + in_folder("kvm.ko"), 1, false);
  EXPECT_EQ(found(find({}, "kvm", "6.1.0")), plain);
  const std::string debug = module("root/usr/lib/debug/" + in_folder("kvm.ko"));
  EXPECT_EQ(found(find({}, "kvm", "6.1.0")), debug);
}

TEST_F(FinderTest, ThePathsGivenAreNotMixedWithAGuess) {
  const std::string system = module("root/" + in_folder("kvm-amd.ko"));
  const std::string kvm = module("kvm.ko");
  EXPECT_EQ(found(find({kvm}, "kvm-amd", "6.1.0")), "nothing");
  EXPECT_EQ(found(find({kvm}, "kvm-amd", "6.1.0", build_id(system))), system);
}

TEST_F(FinderTest, APathThatDoesNotExistIsAnError) {
  try {
    make_debug_finder({folder_.path("missing")});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
    EXPECT_THAT(error.what(), HasSubstr("missing: No such file or directory"));
  }
}

TEST_F(FinderTest, ASystemMapIsNoDebugFile) {
  const std::string map = folder_.write("System.map-6.1.0", "ffffffff81000000 T _text\n");
  const auto finder = make_debug_finder({map}, folder_.path("root"));
  ASSERT_NE(finder->system_map(), nullptr);
  EXPECT_TRUE(finder->system_map()->find("_text").has_value());
  EXPECT_THAT(finder->find("vmlinux", "", "").rejected, IsEmpty());
  EXPECT_EQ(make_debug_finder({}, folder_.path("root"))->system_map(), nullptr);
}

}  // namespace
}  // namespace kvmscope
