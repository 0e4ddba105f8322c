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

}  // namespace
}  // namespace kvmscope
