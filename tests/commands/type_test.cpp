// type: structs, enums, typedefs, members; as text and as records.

#include "tests/commands/general_fixture.hpp"

namespace kvmscope {
namespace {

using testing::HasSubstr;

using TypeCommand = GeneralCommands;

TEST_F(TypeCommand, ShowsAStructAsItWouldBeDeclared) {
  const Result result = run("type struct item");
  EXPECT_EQ(result.status, 0) << result.messages;
  EXPECT_EQ(result.out, R"TEXT(struct item {
  int number;                                            /*     0     4 */
  enum colour colour;                                    /*     4     4 */
  struct list_head link;                                 /*     8    16 */
  struct hlist_node node;                                /*    24    16 */
  struct item *next;                                     /*    40     8 */
  union {
    u32 word;                                            /*    48     4 */
    struct {
      unsigned int low:3;                                /*    48:0  3 bits */
      unsigned int high:1;                               /*    48:4  1 bit */
    };                                                   /*    48     4 */
  };                                                     /*    48     4 */
  char name[8];                                          /*    52     8 */
}; /* size: 64 */
)TEXT");
}

TEST_F(TypeCommand, ARecordPerMemberWithAnonymousOnesFlattened) {
  const nlohmann::json records = json("type struct item");
  std::vector<std::string> names;
  for (const nlohmann::json& record : records) names.push_back(record["name"]);
  EXPECT_EQ(names, (std::vector<std::string>{"number", "colour", "link", "node", "next", "word",
                                             "low", "high", "name"}));
  EXPECT_EQ(records[4]["type"], "struct item *");
  EXPECT_EQ(records[4]["offset"], 40);
  EXPECT_EQ(records[4]["size"], 8);
  EXPECT_EQ(records[4]["bit_size"], nullptr);
  EXPECT_EQ(records[7]["offset"], 48);
  EXPECT_EQ(records[7]["bit_offset"], 4);
  EXPECT_EQ(records[7]["bit_size"], 1);
  EXPECT_EQ(records[0]["of"], "struct item");
  EXPECT_EQ(records[0]["of_size"], 64);
}

TEST_F(TypeCommand, ANameIsEnough) {
  EXPECT_EQ(run("type item").out, run("struct struct item").out);
  EXPECT_THAT(run("whatis colour").out, HasSubstr("enum colour {\n  RED = 0,\n  GREEN = 1,\n"
                                                  "  NOT_A_COLOUR = -1,\n}; /* size: 4 */\n"));
  EXPECT_EQ(json("whatis colour")[2]["value"], -1);
}

TEST_F(TypeCommand, TypedefsAndBaseTypesAreShown) {
  EXPECT_EQ(run("type u64").out, "typedef unsigned long u64; /* size: 8 */\n");
  EXPECT_EQ(json("type u64")[0]["type"], "unsigned long");
  EXPECT_EQ(run("type unsigned int").out, "unsigned int; /* size: 4 */\n");
  EXPECT_EQ(run("type struct item *").out, "struct item *; /* size: 8 */\n");
  EXPECT_THAT(run("type item_t").out, HasSubstr("typedef struct item {\n"));
  EXPECT_THAT(run("type item_t").out, HasSubstr("} item_t; /* size: 64 */\n"));
  EXPECT_THAT(run("type pair_t").out, HasSubstr("typedef struct {\n  int a;"));
}

TEST_F(TypeCommand, APathShowsOneMember) {
  EXPECT_EQ(run("type struct item.link.prev").out,
            "struct list_head *link.prev;                             /*    16     8 */\n");
  const nlohmann::json record = json("type item.high")[0];
  EXPECT_EQ(record["name"], "high");
  EXPECT_EQ(record["bit_offset"], 4);
}

TEST_F(TypeCommand, WhatIsNoTypeIsAUsageError) {
  const Result misspelt = run("type itme");
  EXPECT_EQ(misspelt.status, 2);
  EXPECT_THAT(misspelt.messages, HasSubstr("(did you mean 'item'?)"));
  const Result member = run("type struct item.lnk");
  EXPECT_EQ(member.status, 2);
  EXPECT_THAT(member.messages, HasSubstr("(did you mean 'link'?)"));
  EXPECT_THAT(member.messages, HasSubstr("\n                   ^\n"));
  EXPECT_EQ(run("type struct hidden").status, 2);
  EXPECT_EQ(run("type").status, 2);
  EXPECT_EQ(run("type struct").status, 2);
}

TEST_F(TypeCommand, ColumnsCanBeChosen) {
  const Result result = run("type struct list_head -o name,offset");
  EXPECT_THAT(result.out, HasSubstr("next"));
  EXPECT_THAT(result.out, testing::Not(HasSubstr("struct")));
}

TEST_F(TypeCommand, NeedsNoTarget) {
  offline = true;
  EXPECT_EQ(run("type struct item").status, 0);
}

}  // namespace
}  // namespace kvmscope
