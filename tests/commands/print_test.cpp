// print: values, variables, and what happens when memory or a target is missing.

#include "tests/commands/general_fixture.hpp"

namespace kvmscope {
namespace {

using testing::HasSubstr;

using PrintCommand = GeneralCommands;

TEST_F(PrintCommand, ShowsAStructAsACInitialiser) {
  const VirtAddr at = add_item(7, 1);
  const Result result = run(fmt::format("print *(struct item *){:#x} --depth 1", at.value));
  EXPECT_EQ(result.status, 0) << result.messages;
  EXPECT_EQ(result.out, R"TEXT((struct item){
  .number = (int)7,
  .colour = (enum colour)GREEN,
  .link = (struct list_head){…},
  .node = (struct hlist_node){…},
  .next = (struct item *)0x0,
  .word = (u32)0,
  .low = (unsigned int)0,
  .high = (unsigned int)0,
  .name = (char [8]){…},
}
)TEXT");
}

TEST_F(PrintCommand, ARecordHasTypeAddressAndValue) {
  const VirtAddr at = add_item(7);
  const std::string expression = fmt::format("((item_t *){:#x})->number", at.value);
  const nlohmann::json expected = {
      {{"expression", expression}, {"type", "int"}, {"address", hex(at)}, {"value", "7"}}};
  EXPECT_EQ(json("p " + expression), expected);
  EXPECT_EQ(json("p 1 + 1")[0]["address"], nullptr);
}

TEST_F(PrintCommand, VariablesOfTheKernelAndOfTheSessionHaveNames) {
  EXPECT_EQ(json("p vm_list.next == &vm_list")[0]["value"], "1");
  EXPECT_EQ(json("p &vm_list")[0]["value"], hex(kernel.vm_list()));
  const VirtAddr at = add_item(3);
  EXPECT_EQ(json("p $first = container_of(((struct list_head *)&items)->next, struct item, link)")
                [0]["value"],
            hex(at));
  EXPECT_EQ(json("p $first->number")[0]["value"], "3");
  EXPECT_EQ(run("p *(struct item **)&items").status, 0);
}

TEST_F(PrintCommand, RadixAndNamesAreOptions) {
  const VirtAddr at = add_item(17, 1);
  const std::string item = fmt::format("((struct item *){:#x})", at.value);
  EXPECT_EQ(json("p --hex " + item + "->number")[0]["value"], "0x11");
  EXPECT_EQ(json("p " + item + "->colour")[0]["value"], "GREEN");
  EXPECT_EQ(json("p " + item + "->colour --raw")[0]["value"], "1");
  EXPECT_EQ(json("p " + item + "->name")[0]["value"], "\"kvm\"");
  EXPECT_EQ(json("p --elements 2 " + item + "->name --raw")[0]["value"],
            "{ 107, 118, /* … 6 more */ }");
  EXPECT_EQ(json("p 0x12345678 --decimal")[0]["value"], "305419896");
}

TEST_F(PrintCommand, AMissingPageCostsOnlyWhatLiesInIt) {
  const VirtAddr at = add_item(7);
  kernel.memory().leave_out(at + 4, 4);
  const std::string line = fmt::format("p *(struct item *){:#x}", at.value);
  const nlohmann::json record = json(line, 4)[0];
  EXPECT_THAT(record["value"].get<std::string>(), HasSubstr(".number = (int)7"));
  EXPECT_THAT(record["value"].get<std::string>(), HasSubstr("<cannot read: "));
  EXPECT_THAT(record["notes"][0].get<std::string>(), HasSubstr("1 part could not be read"));
}

TEST_F(PrintCommand, AValueThatCannotBeReadIsLost) {
  const VirtAddr at = add_item(7);
  kernel.memory().leave_out(at);
  const nlohmann::json record = json(fmt::format("p *(struct item *){:#x}", at.value), 4)[0];
  EXPECT_TRUE(record["value"].contains("lost")) << record;
  // An expression that needs what is not there has no value at all.
  EXPECT_EQ(run(fmt::format("p ((struct item *){:#x})->next->number", at.value)).status, 4);
}

TEST_F(PrintCommand, ErrorsPointIntoTheLine) {
  const Result result = run("print 1 + vm_list.nxt");
  EXPECT_EQ(result.status, 2);
  EXPECT_EQ(result.messages,
            "kvmscope: struct list_head has no member 'nxt' (did you mean 'next'?)\n"
            "  print 1 + vm_list.nxt\n"
            "                    ^\n");
  EXPECT_EQ(run("print nothing_of_this_name").status, 2);
  EXPECT_EQ(run("print 1 / 0").status, 2);
  EXPECT_EQ(run("print").status, 2);
}

TEST_F(PrintCommand, SizesAndOffsetsNeedNoTarget) {
  offline = true;
  EXPECT_EQ(json("p sizeof(struct item)")[0]["value"], "64");
  EXPECT_EQ(json("p &((struct item *)0)->next")[0]["value"], "0x28");
  EXPECT_EQ(json("p offsetof(struct item, link)")[0]["value"], "8");
  EXPECT_EQ(run("p vm_list").status, 3);
  EXPECT_EQ(run("p *(int *)ffff888000001000").status, 3);
}

}  // namespace
}  // namespace kvmscope
