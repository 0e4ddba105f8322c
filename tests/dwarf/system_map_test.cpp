// System.map as text.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.hpp"
#include "dwarf/system_map.hpp"
#include "tests/dwarf/compiled_file.hpp"

namespace kvmscope::dwarf {
namespace {

using testing::ElementsAre;

constexpr std::string_view text =
    "0000000000000000 D __per_cpu_start\n"
    "0000000000001000 A a_constant\n"
    "ffffffff81000000 T _text\n"
    "ffffffff81000000 T _stext\n"
    "ffffffff81000040 t local\n"
    "a line that makes no sense\n"
    "ffffffffc0a01000 t of_a_module\t[kvm]\n"
    "ffffffff82a1aa40 D init_task\n";

TEST(SystemMapTest, FindsSymbolsByWholeName) {
  const TemporaryFolder folder;
  const SystemMap map(folder.write("System.map", text));
  EXPECT_EQ(map.find("init_task")->address, 0xffffffff82a1aa40);
  EXPECT_EQ(map.find("local")->type, 't');
  EXPECT_EQ(map.find("__per_cpu_start")->address, 0u);
  EXPECT_FALSE(map.find("task").has_value());
  EXPECT_FALSE(map.find("sense").has_value());
}

TEST(SystemMapTest, TheOneThatDebianShipsIsAnError) {
  const TemporaryFolder folder;
  const std::string path = folder.write(
      "System.map",
      "ffffffffffffffff B The real System.map is in the linux-image-6.1-dbg package\n");
  EXPECT_FALSE(is_system_map(path));
  EXPECT_THROW(SystemMap{path}, Error);
}

TEST(SystemMapTest, TheNearestPrecedesAnAddress) {
  const TemporaryFolder folder;
  const SystemMap map(folder.write("System.map", text));
  EXPECT_EQ(map.nearest(0xffffffff81000048)->name, "local");
  EXPECT_EQ(map.nearest(0xffffffff8100003f)->name, "_stext");
  EXPECT_EQ(map.nearest(0x2000)->name, "__per_cpu_start");
}

TEST(SystemMapTest, NamesAreCompletedInOrder) {
  const TemporaryFolder folder;
  const SystemMap map(folder.write("System.map", text));
  EXPECT_THAT(map.names("_", 10), ElementsAre("__per_cpu_start", "_stext", "_text"));
}

TEST(SystemMapTest, IsRecognisedByItsFirstLine) {
  const TemporaryFolder folder;
  EXPECT_TRUE(is_system_map(folder.write("map", text)));
  EXPECT_FALSE(is_system_map(folder.write("empty", "")));
  EXPECT_FALSE(is_system_map(folder.write("other", "ffffffff81000000 _text\n")));
  EXPECT_FALSE(is_system_map(folder.write("words", "not hexadecimal T _text\n")));
  EXPECT_THROW(is_system_map(folder.path("missing")), Error);
}

}  // namespace
}  // namespace kvmscope::dwarf
