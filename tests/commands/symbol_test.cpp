// symbol: by name and by address.

#include "tests/commands/general_fixture.hpp"

namespace kvmscope {
namespace {

using testing::HasSubstr;

using SymbolCommand = GeneralCommands;

TEST_F(SymbolCommand, ANameGivesItsAddress) {
  const nlohmann::json expected = {{{"name", "vm_list"},
                                    {"address", hex(kernel.vm_list())},
                                    {"size", nullptr},
                                    {"type", "D"},
                                    {"module", nullptr},
                                    {"offset", "0x0"}}};
  EXPECT_EQ(json("symbol vm_list"), expected);
}

TEST_F(SymbolCommand, AnAddressGivesTheSymbolAroundIt) {
  const nlohmann::json record = json(fmt::format("sym {:x}", kernel.vm_list().value + 8))[0];
  EXPECT_EQ(record["name"], "vm_list");
  EXPECT_EQ(record["offset"], "0x8");
  EXPECT_EQ(json("sym " + hex(kernel.vm_list()))[0]["offset"], "0x0");
}

TEST_F(SymbolCommand, TheTableHasAddressTypeAndName) {
  const Result result = run("sym vm_list");
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.out, HasSubstr(hex(kernel.vm_list())));
  EXPECT_THAT(result.out, HasSubstr("D     vm_list"));
}

TEST_F(SymbolCommand, WhatIsNoSymbolIsAUsageError) {
  const Result result = run("sym vm_lits");
  EXPECT_EQ(result.status, 2);
  EXPECT_THAT(result.messages, HasSubstr("no symbol 'vm_lits'"));
  EXPECT_THAT(result.messages, HasSubstr("did you mean 'vm_list'?"));
  EXPECT_EQ(run("sym 0x10").status, 2);
  EXPECT_EQ(run("sym 0xzz").status, 2);
  // Far behind the last symbol of unknown size.
  EXPECT_EQ(run("sym ffff88803fffffff").status, 2);
}

}  // namespace
}  // namespace kvmscope
