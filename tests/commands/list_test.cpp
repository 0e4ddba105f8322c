// list: the elements of a list, whole and broken.

#include "tests/commands/general_fixture.hpp"

namespace kvmscope {
namespace {

using testing::HasSubstr;

using ListCommand = GeneralCommands;

TEST_F(ListCommand, EveryElementIsARecord) {
  const VirtAddr first = add_item(1);
  const VirtAddr second = add_item(2);
  const nlohmann::json expected = {
      {{"index", 0}, {"address", hex(first)}, {"members", nlohmann::json::array()}},
      {{"index", 1}, {"address", hex(second)}, {"members", nlohmann::json::array()}}};
  EXPECT_EQ(json("list item link &items"), expected);
  EXPECT_EQ(json("list struct item link &items"), expected);
  EXPECT_EQ(json(fmt::format("list item link {:x}", kernel.variable("items").value)), expected);
}

TEST_F(ListCommand, MembersAreShownWhenTheyAreAskedFor) {
  add_item(1, 1);
  const Result result = run("list item link &items --members number,colour,link.next");
  EXPECT_EQ(result.status, 0) << result.messages;
  EXPECT_THAT(result.out, HasSubstr("number = 1, colour = GREEN, link.next = 0xffff"));
  const nlohmann::json members = json("list --members colour item link &items")[0]["members"];
  EXPECT_EQ(members[0]["name"], "colour");
  EXPECT_EQ(members[0]["type"], "enum colour");
  EXPECT_EQ(members[0]["value"], "GREEN");
}

TEST_F(ListCommand, AnHlistIsWalkedWithAnOption) {
  FakeMemory& memory = kernel.memory();
  const VirtAddr head = kernel.variable("items");
  const VirtAddr item = memory.allocate("item");
  memory.poke(head, (item + 24).value);
  memory.poke(item + 24, 0);
  memory.poke(item + 32, head.value);
  EXPECT_EQ(json("list --hlist item node &items")[0]["address"], hex(item));
}

TEST_F(ListCommand, AnEmptyListIsFine) {
  EXPECT_EQ(json("list item link &items").size(), 0u);
}

TEST_F(ListCommand, AMissingElementEndsTheListWithANote) {
  add_item(1);
  const VirtAddr second = add_item(2);
  kernel.memory().leave_out(second);
  const Result result = run("list item link &items");
  EXPECT_EQ(result.status, 4);
  EXPECT_THAT(result.messages, HasSubstr("after 1 elements"));
}

TEST_F(ListCommand, AMemberThatCannotBeReadIsLostAndTheListGoesOn) {
  const VirtAddr first = add_item(1);
  add_item(2);
  kernel.memory().leave_out(first, 4);
  const nlohmann::json records = json("list --members number item link &items", 4);
  ASSERT_EQ(records.size(), 2u);
  EXPECT_TRUE(records[0]["members"][0]["value"].contains("lost"));
  EXPECT_EQ(records[1]["members"][0]["value"], "2");
}

TEST_F(ListCommand, ALoopIsCorruptAfterTheElementsBeforeIt) {
  const VirtAddr first = add_item(1);
  const VirtAddr second = add_item(2);
  kernel.memory().poke(second + 8, (first + 8).value);
  const Result result = run("list item link &items -f json");
  EXPECT_EQ(result.status, 5);
  EXPECT_EQ(nlohmann::json::parse(result.out).size(), 2u);
}

TEST_F(ListCommand, WrongWordsAreUsageErrors) {
  EXPECT_THAT(run("list itme link &items").messages, HasSubstr("did you mean 'item'?"));
  EXPECT_THAT(run("list item lnk &items").messages, HasSubstr("did you mean 'link'?"));
  EXPECT_THAT(run("list item low &items").messages, HasSubstr("bit field"));
  EXPECT_THAT(run("list item link &items --members x,number").messages, HasSubstr("no member 'x'"));
  EXPECT_EQ(run("list struct item link").status, 2);
  EXPECT_EQ(run("list item link").status, 2);
  const Result result = run("list struct item link &itemz");
  EXPECT_EQ(result.status, 2);
  EXPECT_THAT(result.messages, HasSubstr("\n                         ^\n"));
}

}  // namespace
}  // namespace kvmscope
