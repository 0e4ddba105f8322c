// kallsyms: tables encoded here as scripts/kallsyms.c does, in both encodings of addresses.

#include "core/kernel/kallsyms.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/memory/buffer.hpp"
#include "tests/core/base/expect_error.hpp"

namespace kvmscope {
namespace {

using testing::ElementsAre;

constexpr std::uint64_t base = 0xffffffff81000000;

struct Entry {
  std::string name;  // with the type letter in front
  std::uint64_t address;
};

// Most tokens stand for their own character; 1 stands for "kvm_" and 2 for "Tmodules".
constexpr std::pair<unsigned, std::string_view> long_tokens[] = {{1, "kvm_"}, {2, "Tmodules"}};

class KallsymsTable {
 public:
  bool relative = false;  // since v6.15: all offsets count from the base

  VirtAddr names{0xffffffff82000ff0};  // crosses a page soon
  VirtAddr token_table{0xffffffff82100000};
  VirtAddr token_index{0xffffffff82101000};
  VirtAddr offsets{0xffffffff82200000};
  VirtAddr relative_base{0xffffffff82300000};
  VirtAddr count{0xffffffff82300010};
  BufferReader<VirtAddr> memory;

  void write(const std::vector<Entry>& entries, bool whole_pages = true) {
    write_tokens();
    std::string bytes;
    VirtAddr offset = offsets;
    for (const Entry& entry : entries) {
      bytes += encode(entry.name);
      memory.set_u32(offset, offset_of(entry.address));
      offset += 4;
    }
    if (whole_pages) memory.add_zeros({align_down(names.value, page_size)}, 4 * page_size);
    memory.add(names, bytes);
    memory.set_u32(count, static_cast<std::uint32_t>(entries.size()));
    memory.set_u64(relative_base, base);
  }

  std::string vmcoreinfo() const {
    std::string text = fmt::format("SYMBOL(_stext)={:x}\n", base);
    const std::pair<const char*, VirtAddr> places[] = {
        {"names", names},     {"num_syms", count},          {"token_table", token_table},
        {"offsets", offsets}, {"token_index", token_index}, {"relative_base", relative_base}};
    for (const auto& [name, at] : places)
      text += fmt::format("SYMBOL(kallsyms_{})={:x}\n", name, at.value);
    return text;
  }

 private:
  void write_tokens() {
    std::string table;
    memory.add_zeros(token_table, 2 * page_size);
    for (unsigned token = 0; token < 256; ++token) {
      memory.set(token_index + 2 * token, static_cast<std::uint16_t>(table.size()));
      std::string text(1, static_cast<char>(token));
      for (const auto& [number, expansion] : long_tokens)
        if (number == token) text = expansion;
      table += text + '\0';
    }
    memory.add(token_table, table);
  }

  // Greedy use of the long tokens, then a length of one byte, or of two from 128 on.
  static std::string encode(std::string_view name) {
    std::string tokens;
    while (!name.empty()) {
      char token = name[0];
      std::size_t size = 1;
      for (const auto& [number, expansion] : long_tokens)
        if (name.starts_with(expansion)) {
          token = static_cast<char>(number);
          size = expansion.size();
        }
      tokens += token;
      name.remove_prefix(size);
    }
    std::string length(1, static_cast<char>(tokens.size()));
    if (tokens.size() >= 0x80)
      length = {static_cast<char>((tokens.size() & 0x7f) | 0x80),
                static_cast<char>(tokens.size() >> 7)};
    return length + tokens;
  }

  std::uint32_t offset_of(std::uint64_t address) const {
    if (relative || address < base)
      return static_cast<std::uint32_t>(address - (relative ? base : 0));
    return static_cast<std::uint32_t>(base - 1 - address);
  }
};

const std::vector<Entry> few = {{"Afixed_percpu_data", 0x40},
                                {"T_stext", base},
                                {"Tmodules", base + 0x1000},
                                {"tkvm_run", base + 0x2000},
                                {"dkvm_usage", base + 0x3000}};

class KallsymsOfBothKinds : public testing::TestWithParam<bool> {
 protected:
  KallsymsOfBothKinds() { table_.relative = GetParam(); }
  Kallsyms open(std::vector<std::string> wanted = {}) {
    info_.emplace(table_.vmcoreinfo());
    return {*info_, table_.memory, std::move(wanted)};
  }
  // A relative offset cannot be an absolute address.
  static std::vector<Entry> entries() {
    return GetParam() ? std::vector<Entry>(few.begin() + 1, few.end()) : few;
  }

  KallsymsTable table_;
  std::optional<VmCoreInfo> info_;
};

TEST_P(KallsymsOfBothKinds, FindsSymbolsWithTypeAndAddress) {
  table_.write(entries());
  const Kallsyms kallsyms = open({"modules", "no_such"});

  EXPECT_EQ(kallsyms.find("modules")->address, base + 0x1000);
  EXPECT_EQ(kallsyms.find("modules")->type, 'T');
  EXPECT_EQ(kallsyms.find("kvm_run")->address, base + 0x2000);  // a pass of its own
  EXPECT_EQ(kallsyms.find("kvm_run")->type, 't');
  EXPECT_EQ(kallsyms.find("kvm_run")->name, "kvm_run");
  EXPECT_EQ(kallsyms.find("no_such"), std::nullopt);
  EXPECT_EQ(kallsyms.find("nobody"), std::nullopt);
}

TEST_P(KallsymsOfBothKinds, FindsTheSymbolBeforeAnAddress) {
  table_.write(entries());
  const Kallsyms kallsyms = open();
  EXPECT_EQ(kallsyms.nearest(base + 0x2abc)->name, "kvm_run");
  EXPECT_EQ(kallsyms.nearest(base + 0x2000)->name, "kvm_run");
  EXPECT_EQ(kallsyms.nearest(0x10), std::nullopt);
}

TEST_P(KallsymsOfBothKinds, ListsNamesByPrefix) {
  table_.write(entries());
  const Kallsyms kallsyms = open();
  EXPECT_THAT(kallsyms.names("kvm_", 10), ElementsAre("kvm_run", "kvm_usage"));
  EXPECT_THAT(kallsyms.names("kvm_", 1), ElementsAre("kvm_run"));
}

// 128 tokens need two bytes of length, and names that long cross a page.
TEST_P(KallsymsOfBothKinds, ReadsLongNames) {
  std::vector<Entry> all = entries();
  const std::string name = "t" + std::string(299, 'x');
  all.push_back({name, base + 0x4000});
  all.push_back({"tafter", base + 0x5000});
  table_.write(all);
  const Kallsyms kallsyms = open();
  EXPECT_EQ(kallsyms.find(name.substr(1))->address, base + 0x4000);
  EXPECT_EQ(kallsyms.find("after")->address, base + 0x5000);
}

TEST_P(KallsymsOfBothKinds, SaysThatAnAddressesEncodingIsNotKnown) {
  std::vector<Entry> all = entries();
  for (Entry& entry : all)
    if (entry.name == "T_stext") entry.address += 8;
  table_.write(all);
  EXPECT_ERROR(open(), ErrorKind::corrupt, "in a way that is not known");
}

INSTANTIATE_TEST_SUITE_P(Encodings, KallsymsOfBothKinds, testing::Bool(), [](const auto& tested) {
  return tested.param ? "relative" : "absolute_percpu";
});

TEST(Kallsyms, KnowsPerCpuSymbolsByTheirOffset) {
  KallsymsTable table;
  table.write(few);
  const VmCoreInfo info(table.vmcoreinfo());
  EXPECT_EQ(Kallsyms(info, table.memory, {}).find("fixed_percpu_data")->address, 0x40u);
}

TEST(Kallsyms, NeedsAllItsTablesNamed) {
  EXPECT_TRUE(Kallsyms::available(VmCoreInfo(KallsymsTable().vmcoreinfo())));
  EXPECT_FALSE(Kallsyms::available(VmCoreInfo("SYMBOL(kallsyms_names)=ffffffff82000000\n")));
}

// ---- damage

Kallsyms open(const KallsymsTable& table) {
  static std::optional<VmCoreInfo> info;
  info.emplace(table.vmcoreinfo());
  return {*info, table.memory, {}};
}

TEST(Kallsyms, RefusesACountThatMakesNoSense) {
  for (const std::uint32_t count : {0U, 4'000'001U, 0xffffffffU}) {
    KallsymsTable table;
    table.write(few);
    table.memory.set_u32(table.count, count);
    EXPECT_ERROR(open(table), ErrorKind::corrupt, "kallsyms_num_syms is");
  }
}

TEST(Kallsyms, SaysThatATableIsMissing) {
  for (const VirtAddr at :
       {KallsymsTable().names, KallsymsTable().token_table, KallsymsTable().token_index,
        KallsymsTable().offsets, KallsymsTable().relative_base, KallsymsTable().count}) {
    KallsymsTable table;
    table.write(few);
    table.memory.remove(at, 8);
    EXPECT_ERROR(open(table), ErrorKind::fault, "reading kallsyms");
  }
}

TEST(Kallsyms, SaysThatStextIsMissing) {
  KallsymsTable table;
  table.write({{"tkvm_run", base}});
  EXPECT_ERROR(open(table), ErrorKind::corrupt, "no _stext");
}

// Names that run on: a fault, not a hang.
TEST(Kallsyms, EndsWhereTheMemoryEnds) {
  KallsymsTable table;
  table.write(few);
  table.memory.set_u32(table.count, 3'000'000);
  EXPECT_ERROR(open(table), ErrorKind::fault, "no such memory");
}

}  // namespace
}  // namespace kvmscope
