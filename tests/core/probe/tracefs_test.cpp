// Finding tracefs, and its files on a folder.

#include "core/probe/tracefs.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "tests/core/base/expect_error.hpp"

namespace kvmscope::probe {
namespace {

namespace fs = std::filesystem;

class Mounts : public testing::Test {
 protected:
  Mounts() {
    std::string pattern = (fs::temp_directory_path() / "tracefsXXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~Mounts() override { fs::remove_all(folder_); }

  std::string mounts(const std::string& lines) const {
    std::ofstream(folder_ / "mounts") << lines;
    return (folder_ / "mounts").string();
  }
  std::string tracefs(const std::string& name) const {
    fs::create_directories(folder_ / name);
    std::ofstream(folder_ / name / "kprobe_events") << "";
    return (folder_ / name).string();
  }

  fs::path folder_;
};

TEST_F(Mounts, NameTheFirstTracefs) {
  const std::string one = tracefs("one");
  EXPECT_EQ(
      find_tracefs(mounts("proc /proc proc rw 0 0\ntracefs " + one + " tracefs rw 0 0\ntracefs " +
                          tracefs("two") + " tracefs rw 0 0\n")),
      one);
}

TEST_F(Mounts, WithoutTracefsSayHowToMountIt) {
  EXPECT_ERROR(find_tracefs(mounts("proc /proc proc rw 0 0\n")), ErrorKind::unavailable,
               "tracefs is not mounted: `mount -t tracefs tracefs /sys/kernel/tracing` as root");
  EXPECT_ERROR(find_tracefs((folder_ / "gone").string()), ErrorKind::unavailable, "not mounted");
}

TEST_F(Mounts, WithoutKprobeEventsNameTheSetting) {
  fs::create_directories(folder_ / "old");
  EXPECT_ERROR(find_tracefs(mounts("tracefs " + (folder_ / "old").string() + " tracefs rw 0 0\n")),
               ErrorKind::unavailable, "CONFIG_KPROBE_EVENTS");
}

TEST_F(Mounts, FilesAreWrittenAndAppendedTo) {
  const std::unique_ptr<Tracefs> tracefs = tracefs_at(this->tracefs("t"));
  EXPECT_EQ(tracefs->append("kprobe_events", "p:a/b c\n"), 0);
  EXPECT_EQ(tracefs->append("kprobe_events", "p:d/e f\n"), 0);
  EXPECT_EQ(tracefs->text("kprobe_events"), "p:a/b c\np:d/e f\n");
  EXPECT_EQ(tracefs->write("kprobe_events", "x"), 0);
  EXPECT_EQ(tracefs->text("kprobe_events"), "x");
  EXPECT_EQ(tracefs->write("gone", "x"), ENOENT) << "no file is made";
  EXPECT_ERROR(tracefs->text("gone"), ErrorKind::unavailable, "/gone: No such file or directory");
}

TEST_F(Mounts, FoldersAreMadeListedAndRemoved) {
  const std::unique_ptr<Tracefs> tracefs = tracefs_at(this->tracefs("t"));
  EXPECT_EQ(tracefs->folders("instances"), std::vector<std::string>());
  fs::create_directories(folder_ / "t" / "instances");
  EXPECT_EQ(tracefs->make_folder("instances/b"), 0);
  EXPECT_EQ(tracefs->make_folder("instances/a"), 0);
  EXPECT_EQ(tracefs->make_folder("instances/a"), EEXIST);
  EXPECT_EQ(tracefs->folders("instances"), (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(tracefs->exists("instances/a"));
  EXPECT_EQ(tracefs->remove_folder("instances/a"), 0);
  EXPECT_EQ(tracefs->remove_folder("instances/a"), ENOENT);
  EXPECT_FALSE(tracefs->exists("instances/a"));
}

}  // namespace
}  // namespace kvmscope::probe
