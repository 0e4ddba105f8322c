// Which layout pack is taken, and why others are not.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/types/pack.hpp"
#include "dwarf/finder.hpp"
#include "tests/dwarf/compiled_file.hpp"

namespace kvmscope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class FindLayoutTest : public testing::Test {
 protected:
  std::string pack(const std::string& name, const std::string& vmlinux) {
    return folder_.write(
        name,
        format_pack({.fields = "0123", .release = "6.1", .build_ids = {{"vmlinux", vmlinux}}}));
  }
  LayoutSearch find(std::vector<std::string> paths, const std::string& fields = "0123") {
    return make_debug_finder(std::move(paths), folder_.path("root"), nullptr, fields)
        ->find_layout([](std::string_view module) { return module == "vmlinux" ? "aa" : ""; });
  }

  TemporaryFolder folder_;
};

TEST_F(FindLayoutTest, APackIsToldByWhatIsInIt) {
  const LayoutSearch search = find({pack("a", "aa")});
  ASSERT_NE(search.layout, nullptr);
  EXPECT_EQ(search.layout->name(), "the layout pack " + folder_.path("a"));
  EXPECT_FALSE(search.layout->is_implied());
}

TEST_F(FindLayoutTest, TheFirstThatFitsInAFolderIsTaken) {
  pack("packs/a.pack", "bb");
  folder_.write("packs/b.pack", "nothing");
  pack("packs/c.pack", "aa");
  pack("packs/no", "aa");
  const LayoutSearch search = find({folder_.path("packs")});
  ASSERT_NE(search.layout, nullptr);
  EXPECT_EQ(search.layout->name(), "the layout pack " + folder_.path("packs/c.pack"));
  EXPECT_THAT(search.rejected, ElementsAre(HasSubstr("a.pack is for vmlinux of build-id bb"),
                                           HasSubstr("b.pack is no layout pack")));
}

TEST_F(FindLayoutTest, OneOfOtherFieldsIsRejected) {
  const LayoutSearch search = find({pack("a.pack", "aa")}, "4567");
  EXPECT_EQ(search.layout, nullptr);
  EXPECT_THAT(search.rejected, ElementsAre(HasSubstr("another version of kvmscope")));
}

TEST_F(FindLayoutTest, APackIsNoDebugFileAndNoMap) {
  const auto finder = make_debug_finder({pack("a.pack", "aa")}, folder_.path("root"));
  EXPECT_EQ(finder->system_map(), nullptr);
  EXPECT_THAT(finder->find("kvm", "", "").rejected, IsEmpty());
  EXPECT_EQ(make_debug_finder({}, folder_.path("root"))->find_layout({}).layout, nullptr);
}

}  // namespace
}  // namespace kvmscope
