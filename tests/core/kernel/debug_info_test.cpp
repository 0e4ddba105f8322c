// The debug files of a kernel: opened when asked for, once, kvm.ko first.

#include "core/kernel/debug_info.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/types/pack.hpp"
#include "tests/core/base/expect_error.hpp"
#include "tests/support/btf_maker.hpp"
#include "tests/support/fake_kernel_target.hpp"
#include "tests/support/fake_types.hpp"
#include "tests/support/temporary_tree.hpp"

namespace kvmscope {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class DebugInfoTest : public testing::Test {
 protected:
  DebugInfoTest() {
    of_kvm_.structure("kvm", 8, {{"mm", of_kvm_.void_pointer(), 0}});
    of_vmlinux_.structure("kvm", 99, {});
    of_vmlinux_.structure("maple_node", 256, {});
    finder_.files.emplace("kvm", FakeFinder::File{"aa", of_kvm_, symbols_});
    finder_.files.emplace("vmlinux", FakeFinder::File{"bb", of_vmlinux_, symbols_});
  }

  FakeTypes of_kvm_;
  FakeTypes of_vmlinux_;
  FakeSymbols symbols_;
  FakeFinder finder_;
  std::string kvm_build_ = "aa";
  std::string vmlinux_build_;
  DebugInfo debug_{
      finder_, "6.1.0", [this](std::string_view module) {
        return module == "kvm" ? kvm_build_ : module == "vmlinux" ? vmlinux_build_ : std::string();
      }};
};

TEST_F(DebugInfoTest, OpensNothingByItself) {
  EXPECT_THAT(finder_.asked, IsEmpty());
}

TEST_F(DebugInfoTest, StopsAtTheFirstFileThatKnowsAType) {
  EXPECT_EQ(debug_.types().get(TypeKind::structure, "kvm").size, 8u);
  EXPECT_THAT(finder_.asked, ElementsAre("kvm"));
  EXPECT_EQ(debug_.types().find(TypeKind::structure, "maple_node").origin, "vmlinux");
  EXPECT_THAT(finder_.asked, ElementsAre("kvm", "kvm-amd", "kvm-intel", "vmlinux"));
}

TEST_F(DebugInfoTest, SearchesForAFileOnce) {
  const DebugFile* file = debug_.file("kvm");
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(debug_.file("kvm"), file);
  EXPECT_EQ(&debug_.need("kvm"), file);
  EXPECT_EQ(debug_.file("kvm-amd"), nullptr);
  EXPECT_EQ(debug_.file("kvm-amd"), nullptr);
  EXPECT_THAT(finder_.asked, ElementsAre("kvm", "kvm-amd"));
  EXPECT_EQ(debug_.searches().size(), 2u);
}

TEST_F(DebugInfoTest, SaysWhatWasTriedAndRejected) {
  kvm_build_ = "cc";
  EXPECT_EQ(debug_.file("kvm"), nullptr);
  EXPECT_ERROR(debug_.need("kvm"), ErrorKind::unavailable, "no debug info for kvm of kernel 6.1.0");
  EXPECT_ERROR(debug_.need("kvm"), ErrorKind::unavailable, "fake/kvm has build-id aa");
  EXPECT_ERROR(debug_.need("kvm"), ErrorKind::unavailable, "tried fake/kvm");
  EXPECT_ERROR(debug_.need("kvm"), ErrorKind::unavailable, "linux-image-6.1.0-dbg (Debian)");
  EXPECT_ERROR(debug_.need("kvm"), ErrorKind::unavailable, "or let --debuginfod fetch it");
}

class DebugInfoWithLayoutTest : public DebugInfoTest {
 protected:
  void use_pack(bool is_implied) {
    LayoutPack pack{.fields = "", .release = "", .build_ids = {{"kvm", "ab"}}};
    pack.structures = {{"struct kvm", "kvm", 16, {}}};
    finder_.layout = pack_layout(std::move(pack), "the layout pack x", is_implied);
  }
};

TEST_F(DebugInfoWithLayoutTest, OpensNoFileForWhatALayoutHas) {
  use_pack(false);
  EXPECT_EQ(debug_.layout_types().get(TypeKind::structure, "kvm").size, 16u);
  EXPECT_EQ(debug_.layout_types().find(TypeKind::structure, "kvm").origin, "kvm");
  EXPECT_EQ(debug_.layout_types().find(TypeKind::structure, "maple_node").type, nullptr);
  EXPECT_EQ(debug_.layout_build_id("kvm"), "ab");
  debug_.need_layout("kvm");
  EXPECT_THAT(finder_.asked, IsEmpty());
  EXPECT_EQ(debug_.types().get(TypeKind::structure, "kvm").size, 8u);
}

TEST_F(DebugInfoWithLayoutTest, SaysThatAnExpressionNeedsMore) {
  use_pack(false);
  finder_.files.clear();
  EXPECT_ERROR(debug_.types().get(TypeKind::structure, "kvm"), ErrorKind::usage,
               "the layout pack x holds only what kvmscope's own commands read");
  EXPECT_ERROR(debug_.need("kvm"), ErrorKind::unavailable, "the layout pack x holds only");
}

TEST_F(DebugInfoWithLayoutTest, GivesUpOnlyWhatNobodyNamed) {
  use_pack(false);
  EXPECT_FALSE(debug_.give_up_layout());
  EXPECT_NE(debug_.layout(), nullptr);
}

TEST_F(DebugInfoWithLayoutTest, ReadsFilesWhenItGaveUpACachedLayout) {
  use_pack(true);
  EXPECT_EQ(debug_.layout_types().get(TypeKind::structure, "kvm").size, 16u);
  EXPECT_TRUE(debug_.give_up_layout());
  EXPECT_EQ(debug_.layout(), nullptr);
  EXPECT_EQ(debug_.layout_types().get(TypeKind::structure, "kvm").size, 8u);
  EXPECT_EQ(debug_.layout_build_id("kvm"), "aa");
}

TEST_F(DebugInfoTest, KnowsXaNodeWhenNoFileDoes) {
  const Types::Found node = debug_.types().find(TypeKind::structure, "xa_node");
  ASSERT_NE(node.type, nullptr);
  EXPECT_EQ(node.origin, "built-in");
  EXPECT_EQ(node.type->size, 576u);
  EXPECT_EQ(find_member(*node.type, "slots")->bit_offset, 40u * 8);
  EXPECT_EQ(find_member(*node.type, "slots")->type->count, 64u);
  EXPECT_EQ(find_member(*node.type, "shift")->bit_offset, 0u);
}

TEST_F(DebugInfoTest, PrefersAFilesOwnXaNode) {
  of_vmlinux_.structure("xa_node", 300, {});
  EXPECT_EQ(debug_.types().find(TypeKind::structure, "xa_node").origin, "vmlinux");
}

// ---- fetched from servers

TEST_F(DebugInfoTest, FetchesNothingThatIsAtHand) {
  finder_.servers.emplace("kvm", FakeFinder::File{"aa", of_vmlinux_, symbols_});
  EXPECT_EQ(debug_.need("kvm").path(), "fake/kvm");
  EXPECT_THAT(finder_.fetched, IsEmpty());
}

TEST_F(DebugInfoTest, FetchesAFileOnceItsBuildIsKnown) {
  finder_.files.erase("kvm");
  finder_.servers.emplace("kvm", FakeFinder::File{"aa", of_kvm_, symbols_});
  kvm_build_ = "";
  EXPECT_EQ(debug_.fetch("kvm"), nullptr);
  EXPECT_EQ(debug_.types().get(TypeKind::structure, "kvm").size, 99u);
  EXPECT_EQ(debug_.types().find(TypeKind::structure, "nowhere").type, nullptr);
  EXPECT_THAT(finder_.fetched, IsEmpty());

  of_kvm_.structure("nowhere", 4, {});
  kvm_build_ = "aa";
  EXPECT_EQ(debug_.file("kvm"), nullptr);  // at hand it still is not
  EXPECT_EQ(debug_.need("kvm").path(), "cache/kvm");
  EXPECT_EQ(debug_.types().find(TypeKind::structure, "nowhere").origin, "kvm");
  EXPECT_EQ(debug_.file("kvm")->path(), "cache/kvm");
  EXPECT_THAT(finder_.fetched, ElementsAre("kvm"));
}

TEST_F(DebugInfoTest, AsksTheServersOnceForAFileThatTheyDoNotHave) {
  finder_.files.erase("kvm");
  finder_.servers.emplace("kvm-amd", FakeFinder::File{"ee", of_kvm_, symbols_});
  EXPECT_EQ(debug_.fetch("kvm"), nullptr);
  EXPECT_EQ(debug_.fetch("kvm"), nullptr);
  EXPECT_ERROR(debug_.need("kvm"), ErrorKind::unavailable, "kvm: no server has it");
  EXPECT_THAT(finder_.fetched, ElementsAre("kvm"));
}

TEST_F(DebugInfoTest, SaysWhenServersCannotBeAskedForWantOfABuildId) {
  finder_.files.erase("kvm");
  finder_.servers.emplace("kvm", FakeFinder::File{"aa", of_kvm_, symbols_});
  kvm_build_ = "";
  EXPECT_ERROR(debug_.need("kvm"), ErrorKind::unavailable, "its build-id is not known");
  EXPECT_THAT(finder_.fetched, IsEmpty());
}

TEST_F(DebugInfoTest, DoesNotFetchVmlinuxForOneType) {
  finder_.files.erase("vmlinux");
  finder_.servers.emplace("vmlinux", FakeFinder::File{"bb", of_vmlinux_, symbols_});
  vmlinux_build_ = "bb";
  EXPECT_EQ(debug_.types().find(TypeKind::structure, "maple_node").type, nullptr);
  EXPECT_THAT(finder_.fetched, IsEmpty());
  EXPECT_EQ(debug_.need("vmlinux").path(), "cache/vmlinux");
  EXPECT_EQ(debug_.types().find(TypeKind::structure, "maple_node").origin, "vmlinux");
}

TEST_F(DebugInfoTest, TellsWhyAFetchedFileWasRefused) {
  finder_.files.erase("kvm");
  finder_.servers.emplace("kvm", FakeFinder::File{"dd", of_kvm_, symbols_});
  EXPECT_ERROR(debug_.need("kvm"), ErrorKind::unavailable, "cache/kvm has build-id dd");
}

// The kernel's own BTF, with one struct in it.
std::shared_ptr<KernelBtf> some_btf(unsigned& opened) {
  const BtfMaker vmlinux;
  btf__add_int(vmlinux.get(), "int", 4, BTF_INT_SIGNED);
  const BtfMaker kvm(&vmlinux);
  btf__add_struct(kvm.get(), "kvm", 4);
  btf__add_field(kvm.get(), "users", 1, 0, 0);
  const TemporaryTree folder;
  folder.write("vmlinux", vmlinux.bytes());
  folder.write("kvm", kvm.bytes());
  ++opened;
  return KernelBtf::in_folder(folder.path(), nullptr);
}

TEST_F(DebugInfoTest, LeavesBtfAloneWhereThereAreDebugFiles) {
  unsigned opened = 0;
  debug_.set_btf([&] { return some_btf(opened); });
  debug_.open_all();
  EXPECT_EQ(debug_.types().get(TypeKind::structure, "kvm").size, 8u);
  debug_.types().find(TypeKind::structure, "no such");
  EXPECT_EQ(debug_.btf(), nullptr);
  EXPECT_EQ(opened, 0u);
}

TEST_F(DebugInfoTest, TakesTypesFromBtfWithoutDebugFiles) {
  unsigned opened = 0;
  finder_.files.clear();
  debug_.set_btf([&] { return some_btf(opened); });
  EXPECT_EQ(debug_.types().get(TypeKind::structure, "kvm").size, 4u);
  EXPECT_EQ(debug_.types().find(TypeKind::structure, "xa_node").origin, "built-in");
  EXPECT_EQ(opened, 1u);
  debug_.need_layout("kvm");
  EXPECT_ERROR(debug_.need("kvm"), ErrorKind::unavailable, "no functions");
}

TEST_F(DebugInfoTest, SaysWhyThereIsNoBtf) {
  finder_.files.clear();
  debug_.set_btf([]() -> std::shared_ptr<KernelBtf> {
    throw Error(ErrorKind::corrupt, "the BTF is damaged");
  });
  EXPECT_ERROR(debug_.need_layout("kvm"), ErrorKind::unavailable, "the BTF is damaged");
}

TEST_F(DebugInfoTest, PutsNoBtfInThePlaceOfAFileOfAnotherBuild) {
  unsigned opened = 0;
  kvm_build_ = "cc";
  finder_.files.erase("vmlinux");
  debug_.set_btf([&] { return some_btf(opened); });
  EXPECT_ERROR(debug_.need_layout("kvm"), ErrorKind::unavailable, "has build-id aa");
  EXPECT_EQ(opened, 0u);
}

}  // namespace
}  // namespace kvmscope
