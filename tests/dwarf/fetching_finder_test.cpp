// Debug files from debuginfod: here they lie in libdebuginfod's cache, and no server is there.

#include "dwarf/fetching_finder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "core/base/error.hpp"
#include "dwarf/debug_file.hpp"
#include "dwarf/finder.hpp"
#include "tests/core/base/expect_error.hpp"
#include "tests/dwarf/compiled_file.hpp"

namespace kvmscope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Nothing listens there.
constexpr const char* no_server = "http://127.0.0.1:1";

class FetchingFinderTest : public testing::Test {
 protected:
  FetchingFinderTest() {
    setenv("DEBUGINFOD_URLS", no_server, 1);
    setenv("DEBUGINFOD_CACHE_PATH", folder_.path("cache").c_str(), 1);
    setenv("DEBUGINFOD_TIMEOUT", "5", 1);
  }
  ~FetchingFinderTest() override {
    for (const char* name : {"DEBUGINFOD_URLS", "DEBUGINFOD_CACHE_PATH", "DEBUGINFOD_TIMEOUT"})
      unsetenv(name);
  }

  // Returns the build-id.
  std::string module_in_cache(std::string under_id = "") {
    const std::string path =
        folder_.module("made/kvm.ko", {{"unit.c", "struct kvm { int a; }; struct kvm vm;"}});
    std::string id = open_debug_file(path)->build_id();
    if (under_id.empty()) under_id = id;
    std::filesystem::create_directories(folder_.path("cache/" + under_id));
    std::filesystem::copy(path, in_cache(under_id));
    return id;
  }
  std::string in_cache(const std::string& id) const {
    return folder_.path("cache/" + id + "/debuginfo");
  }

  TemporaryFolder folder_;
  std::unique_ptr<DebugFinder> local_ = make_debug_finder({}, folder_.path("root"));
  std::unique_ptr<DebugFinder> finder_ = make_fetching_finder(*local_, {});
};

TEST_F(FetchingFinderTest, TakesTheFileOfTheBuild) {
  const std::string id = module_in_cache();
  const DebugSearch search = finder_->fetch("kvm", id);
  ASSERT_TRUE(search.file);
  EXPECT_EQ(search.file->path(), in_cache(id));
  EXPECT_EQ(search.file->build_id(), id);
  EXPECT_NE(search.file->types().find(TypeKind::structure, "kvm"), nullptr);
  EXPECT_THAT(search.rejected, IsEmpty());
}

TEST_F(FetchingFinderTest, RefusesAFileOfAnotherBuild) {
  const std::string asked(40, 'a');
  const std::string id = module_in_cache(asked);
  const DebugSearch search = finder_->fetch("kvm", asked);
  EXPECT_FALSE(search.file);
  EXPECT_THAT(search.rejected, ElementsAre(HasSubstr("has build-id " + id + ", not " + asked)));
}

TEST_F(FetchingFinderTest, RefusesAFileThatIsNone) {
  const std::string asked(40, 'a');
  folder_.write("cache/" + asked + "/debuginfo", "<html>sign in first</html>");
  const DebugSearch search = finder_->fetch("kvm", asked);
  EXPECT_FALSE(search.file);
  EXPECT_THAT(search.rejected, ElementsAre(HasSubstr("debuginfo")));
}

TEST_F(FetchingFinderTest, SaysWhichServersFailed) {
  const DebugSearch search = finder_->fetch("kvm", std::string(40, 'b'));
  EXPECT_FALSE(search.file);
  EXPECT_THAT(search.rejected,
              ElementsAre(HasSubstr(fmt::format("asking {} for build-id bbbb", no_server))));
}

TEST_F(FetchingFinderTest, SaysHowToNameServers) {
  unsetenv("DEBUGINFOD_URLS");
  const DebugSearch search = finder_->fetch("kvm", std::string(40, 'b'));
  EXPECT_FALSE(search.file);
  EXPECT_THAT(search.rejected, ElementsAre(HasSubstr("DEBUGINFOD_URLS names no server")));
}

TEST_F(FetchingFinderTest, LooksWhereTheOtherFinderDoes) {
  folder_.module("root/lib/modules/6.1.0/kernel/arch/x86/kvm/kvm.ko", {{"unit.c", "int kvm;"}});
  EXPECT_TRUE(finder_->find("kvm", "6.1.0", "").file);
  EXPECT_FALSE(finder_->find("kvm", "6.12.0", "").file);
  EXPECT_EQ(finder_->system_map(), nullptr);
  EXPECT_TRUE(finder_->can_fetch());
  EXPECT_FALSE(local_->can_fetch());
}

}  // namespace
}  // namespace kvmscope
