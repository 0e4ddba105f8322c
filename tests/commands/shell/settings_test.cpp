// What `set` knows.

#include "commands/shell/settings.hpp"

#include <gtest/gtest.h>

#include "core/base/error.hpp"

namespace kvmscope {
namespace {

TEST(Settings, TakeTheValuesThatTheyShow) {
  Settings settings;
  for (const Setting& setting : all_settings()) {
    const std::string before = setting.get(settings);
    setting.set(settings, before);
    EXPECT_EQ(setting.get(settings), before) << setting.name;
    for (const std::string_view value : setting.values()) {
      setting.set(settings, value);
      EXPECT_EQ(setting.get(settings), value) << setting.name;
    }
  }
}

TEST(Settings, ChangeWhatTheyName) {
  Settings settings;
  find_setting("format").set(settings, "csv");
  find_setting("pager").set(settings, "off");
  EXPECT_EQ(settings.output.format, "csv");
  EXPECT_FALSE(settings.pager);
}

TEST(Settings, RefuseWrongNamesAndValues) {
  Settings settings;
  EXPECT_THROW(find_setting("colour"), Error);
  EXPECT_THROW(find_setting("format").set(settings, "xml"), Error);
  EXPECT_THROW(find_setting("pager").set(settings, "maybe"), Error);
}

TEST(Settings, TakeBytesWithAUnit) {
  EXPECT_EQ(parse_bytes("1000000"), 1'000'000u);
  EXPECT_EQ(parse_bytes("64k"), 64u << 10);
  EXPECT_EQ(parse_bytes("256MiB"), 256u << 20);
  EXPECT_EQ(parse_bytes("2G"), 2ULL << 30);
  EXPECT_EQ(parse_bytes("0"), 0u);
  for (const char* wrong : {"", "M", "-1", "1.5M", "64 M", "3X", "99999999999999G"})
    EXPECT_THROW(parse_bytes(wrong), Error) << wrong;
}

TEST(Settings, TakeATimeLimitOrNone) {
  EXPECT_EQ(parse_time_limit("10"), std::chrono::seconds(10));
  EXPECT_EQ(parse_time_limit("0.25"), std::chrono::milliseconds(250));
  EXPECT_EQ(parse_time_limit("0"), std::chrono::nanoseconds(0));
  for (const char* wrong : {"", "-1", "10s", "nan", "inf"})
    EXPECT_THROW(parse_time_limit(wrong), Error) << wrong;
}

}  // namespace
}  // namespace kvmscope
