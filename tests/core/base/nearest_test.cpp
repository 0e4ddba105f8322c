// Names that a user may have meant.

#include "core/base/nearest.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kvmscope {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const std::vector<std::string_view> names = {"root_mmu", "guest_mmu", "walk_mmu", "x"};

TEST(NearestNames, AreThoseWithTheFewestWrongLetters) {
  EXPECT_THAT(nearest_names("rootmmu", names), ElementsAre("root_mmu"));
  EXPECT_THAT(nearest_names("walk-nmu", names), ElementsAre("walk_mmu"));
  EXPECT_THAT(nearest_names("rools", std::vector<std::string_view>{"tools", "roots", "vms"}),
              ElementsAre("tools", "roots"));
}

TEST(NearestNames, BeginWithAWordThatWasCutShortOrHoldIt) {
  EXPECT_THAT(nearest_names("guest", names), ElementsAre("guest_mmu"));
  EXPECT_THAT(nearest_names("_mmu", names), ElementsAre("root_mmu"));
  EXPECT_THAT(nearest_names("mu", names), IsEmpty());
}

TEST(NearestNames, AreNoneWhenAllAreTooDifferent) {
  EXPECT_THAT(nearest_names("abcdefgh", names), IsEmpty());
  EXPECT_THAT(nearest_names("y", names), IsEmpty());
  EXPECT_THAT(nearest_names("", names), IsEmpty());
}

TEST(NearestNames, DoNotTakeLongForNamesThatAreTooLong) {
  const std::string endless(100'000, 'x');
  EXPECT_THAT(nearest_names(endless, names), IsEmpty());
  EXPECT_THAT(nearest_names("xx", std::vector<std::string_view>{endless}), IsEmpty());
}

TEST(DidYouMean, AsksForOneNameOrSaysNothing) {
  const std::vector<std::string> members = {"root", "pgd"};
  EXPECT_EQ(did_you_mean("rot", members), " (did you mean 'root'?)");
  EXPECT_EQ(did_you_mean("nonsense", members), "");
}

}  // namespace
}  // namespace kvmscope
