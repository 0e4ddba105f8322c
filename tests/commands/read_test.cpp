// read: hex dumps, whole and with holes.

#include "tests/commands/general_fixture.hpp"

namespace kvmscope {
namespace {

using testing::HasSubstr;

class ReadCommand : public GeneralCommands {
 protected:
  ReadCommand() {
    at = kernel.memory().allocate_page();
    kernel.memory().write(at, "Hello, kvm!\n");
    kernel.memory().poke(at + 16, 0x1122334455667788);
  }
  VirtAddr at;
};

TEST_F(ReadCommand, TheTableShowsWordsAndText) {
  const Result result = run(fmt::format("read {:x} 40", at.value));
  EXPECT_EQ(result.status, 0) << result.messages;
  EXPECT_THAT(result.out, HasSubstr(hex(at) + "  6b202c6f6c6c6548 000000000a216d76  Hello, kvm!"));
  EXPECT_THAT(result.out, HasSubstr("1122334455667788 0000000000000000  .wfUD3\"."));
  EXPECT_THAT(result.out, HasSubstr(hex(at + 32) + "  0000000000000000 "));
}

TEST_F(ReadCommand, RecordsHaveBytesInTheOrderOfMemory) {
  const nlohmann::json records = json(fmt::format("rd {:#x} 20", at.value));
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0]["bytes"], "48656c6c6f2c206b766d210a00000000");
  EXPECT_EQ(records[0]["text"], "Hello, kvm!.....");
  EXPECT_EQ(records[1]["address"], hex(at + 16));
  EXPECT_EQ(records[1]["bytes"], "88776655");
}

TEST_F(ReadCommand, BytesOfTheTableCanBeInTheOrderOfMemory) {
  EXPECT_THAT(run(fmt::format("rd {:#x} 16 --bytes", at.value)).out,
              HasSubstr("48656c6c6f2c206b 766d210a00000000"));
}

TEST_F(ReadCommand, TheAddressIsAnExpression) {
  EXPECT_EQ(json("rd &vm_list 8")[0]["address"], hex(kernel.vm_list()));
  EXPECT_EQ(json("rd vm_list 8")[0]["address"], hex(kernel.vm_list())) << "a struct: where it is";
  EXPECT_EQ(json("rd vm_list.next 8")[0]["address"], hex(kernel.vm_list())) << "a pointer";
  EXPECT_EQ(json(fmt::format("rd ({:#x} + 16) 8", at.value))[0]["bytes"], "8877665544332211");
  EXPECT_EQ(json(fmt::format("rd {:#x}", at.value)).size(), 4u) << "64 bytes without a count";
  EXPECT_EQ(json("rd &vm_list 0").size(), 0u);
}

TEST_F(ReadCommand, PhysicalMemoryIsReadWithAnOption) {
  const PhysAddr phys = FakeMemory::phys(at);
  const nlohmann::json record = json(fmt::format("rd --phys {:#x} 5", phys.value))[0];
  EXPECT_EQ(record["address"], fmt::format("{:#x}", phys.value));
  EXPECT_EQ(record["text"], "Hello");
}

TEST_F(ReadCommand, AMissingPageIsOneLostRecordAndReadingGoesOn) {
  const VirtAddr lost = kernel.memory().allocate_page();
  const VirtAddr after = kernel.memory().allocate_page();
  ASSERT_EQ(after.value, lost.value + page_size);
  kernel.memory().leave_out(lost);
  const nlohmann::json records = json(fmt::format("rd {:#x} 0x1010", lost.value), 4);
  ASSERT_EQ(records.size(), 2u);
  EXPECT_TRUE(records[0]["bytes"].contains("lost")) << records[0];
  EXPECT_EQ(records[0]["text"], nullptr);
  EXPECT_EQ(records[1]["address"], hex(after));
  EXPECT_EQ(records[1]["bytes"], "00000000000000000000000000000000");
}

TEST_F(ReadCommand, LinesEndWhereAPageEnds) {
  const VirtAddr second = kernel.memory().allocate_page();
  const nlohmann::json records = json(fmt::format("rd {:#x} 32", second.value - 8), 0);
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[1]["address"], hex(second));
}

TEST_F(ReadCommand, RangesThatCannotBeAreUsageErrors) {
  EXPECT_EQ(run("rd &vm_list 0x1000001").status, 2);
  EXPECT_EQ(run("rd ffffffffffffffff 2").status, 2);
  EXPECT_EQ(run("rd &vm_list x").status, 2);
  EXPECT_EQ(run("rd nothing").status, 2);
  EXPECT_EQ(run("rd").status, 2);
  EXPECT_EQ(run("rd ffffffffffffffff 1").status, 4) << "the last byte: not there, but it could be";
}

}  // namespace
}  // namespace kvmscope
