// The cache of layouts: what is kept is found, and nothing that others could have written is.

#include "commands/shell/layout_cache.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/fake_kernel_target.hpp"
#include "tests/support/temporary_tree.hpp"

namespace kvmscope {
namespace {

namespace fs = std::filesystem;

class LayoutCacheTest : public testing::Test {
 protected:
  std::string file(std::string_view id = "aabb") const {
    return fmt::format("{}/{}.pack", folder_, id);
  }
  static LayoutPack pack(std::string vmlinux = "aabb") {
    return {.fields = "0123",
            .release = "6.1",
            .build_ids = {{"vmlinux", std::move(vmlinux)}, {"kvm", "cc"}}};
  }

  TemporaryTree tree_;
  std::string folder_ = tree_.path() + "/cache/kvmscope/layouts";
  OpenLog log_;
  LayoutCache cache_{folder_, "0123", &log_};
};

TEST_F(LayoutCacheTest, FindsWhatItKept) {
  EXPECT_EQ(cache_.find("aabb"), nullptr);
  cache_.keep(pack());
  const auto found = cache_.find("aabb");
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->build_id("kvm"), "cc");
  EXPECT_TRUE(found->is_implied());
  EXPECT_EQ(found->name(), "the cached layout " + file());
  EXPECT_EQ(cache_.find("aabc"), nullptr);
  EXPECT_EQ(fs::status(file()).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);
  EXPECT_EQ(log_.files().size(), 2u);
}

TEST_F(LayoutCacheTest, DoesWithoutAFileThatIsDamagedOrOfAnotherVersion) {
  cache_.keep(pack());
  EXPECT_EQ(LayoutCache(folder_, "4567", nullptr).find("aabb"), nullptr);
  std::ofstream(file()) << "kvmscope-layout/1 ";
  EXPECT_EQ(cache_.find("aabb"), nullptr);
  cache_.keep(pack());
  EXPECT_NE(cache_.find("aabb"), nullptr);
}

TEST_F(LayoutCacheTest, DoesNotReadWhatOthersMayWrite) {
  cache_.keep(pack());
  chmod(file().c_str(), 0620);
  EXPECT_EQ(cache_.find("aabb"), nullptr);
  chmod(file().c_str(), 0602);
  EXPECT_EQ(cache_.find("aabb"), nullptr);
  chmod(file().c_str(), 0644);
  EXPECT_NE(cache_.find("aabb"), nullptr);
  fs::rename(file(), file() + ".other");
  fs::create_symlink(file() + ".other", file());
  EXPECT_EQ(cache_.find("aabb"), nullptr);
}

TEST_F(LayoutCacheTest, RootDoesNotWriteWhereAUserChoosesWhatNamesMean) {
  if (geteuid() != 0) GTEST_SKIP() << "only root writes where others own a folder";
  constexpr uid_t user = 65534;
  const std::string home = tree_.path() + "/home";
  fs::create_directories(home + "/.cache");
  ASSERT_EQ(chown((home + "/.cache").c_str(), user, user), 0);
  const LayoutCache theirs(home + "/.cache/kvmscope/layouts", "0123", nullptr);
  theirs.keep(pack());
  EXPECT_FALSE(fs::exists(home + "/.cache/kvmscope"));
  fs::remove(home + "/.cache");
  ASSERT_EQ(chown(home.c_str(), user, user), 0);
  theirs.keep(pack());
  EXPECT_FALSE(fs::exists(home + "/.cache"));
  ASSERT_EQ(chown(home.c_str(), 0, 0), 0);
  chmod(home.c_str(), 0755);
  theirs.keep(pack());
  EXPECT_NE(theirs.find("aabb"), nullptr);
}

TEST_F(LayoutCacheTest, DoesNotWriteWhereOthersMay) {
  cache_.keep(pack());
  fs::remove(file());
  chmod(folder_.c_str(), 0770);
  cache_.keep(pack());
  EXPECT_FALSE(fs::exists(file()));
  fs::remove(folder_);
  fs::create_directories(tree_.path() + "/elsewhere");
  fs::create_symlink(tree_.path() + "/elsewhere", folder_);
  cache_.keep(pack());
  EXPECT_TRUE(fs::is_empty(tree_.path() + "/elsewhere"));
  EXPECT_FALSE(cache_.make_folder());
}

TEST_F(LayoutCacheTest, TakesNoBuildIdThatIsNoNumber) {
  for (const std::string id : {"", "../aabb", "aa/bb", "aa bb"}) {
    cache_.keep(pack(id));
    EXPECT_EQ(cache_.find(id), nullptr) << id;
  }
  EXPECT_FALSE(fs::exists(tree_.path() + "/cache"));
}

TEST_F(LayoutCacheTest, IsAskedAfterWhatTheUserNamed) {
  cache_.keep(pack());
  FakeFinder local;
  const auto finder = make_caching_finder(local, cache_);
  const auto target = [](std::string kvm) {
    return [kvm](std::string_view module) {
      return module == "vmlinux" ? std::string("aabb") : module == "kvm" ? kvm : std::string();
    };
  };
  ASSERT_NE(finder->find_layout(target("cc")).layout, nullptr);
  EXPECT_NE(finder->find_layout(target("")).layout, nullptr);
  EXPECT_EQ(finder->find_layout(target("dd")).layout, nullptr);
  local.layout = pack_layout(pack(), "named");
  EXPECT_EQ(finder->find_layout(target("cc")).layout->name(), "named");
}

}  // namespace
}  // namespace kvmscope
