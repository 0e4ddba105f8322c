// --drgn, over all commands.

#include <gtest/gtest.h>

#include "commands/catalogue.hpp"
#include "commands/output/objects.hpp"

namespace kvmscope {
namespace {

// A field of a name that is not known would be left out without a word. `guest` and `watch` have
// records of another form, too, and those have objects.
TEST(Drgn, KnowsTheObjectsOfEveryCommandButThese) {
  std::vector<std::string_view> without;
  for (const Command& command : catalogue())
    if (!command.columns.empty() && !can_name_objects(command.columns))
      without.push_back(command.name());
  EXPECT_EQ(without,
            (std::vector<std::string_view>{"guest", "layout", "info", "type", "symbol", "read",
                                           "watch", "diff", "timeline", "help", "set", "history"}));
}

}  // namespace
}  // namespace kvmscope
