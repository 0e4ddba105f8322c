// Member chains as fetch arguments, with variables whose places the test makes up.

#include "core/probe/fetch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/object/object_fixture.hpp"

namespace kvmscope::probe {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr unsigned rax = 0, rsi = 4, rdi = 5, rsp = 7, r12 = 12;

// `vm` in %di, `copy` on the stack at rsp+88, `role` in %si, `i` in %r12 less one.
class FetchTest : public ObjectFixture {
 protected:
  FetchTest() : scope_{sources, no_code(), {0x1234, "walk", 0x10}} {
    add("vm", fake.pointer("struct vm"), {rdi, {0}, true});
    add("copy", fake.named("struct vm"), {rsp, {88}, false});
    add("role", type(TypeKind::structure, "mmu").members[1].type, {rsi, {0}, true});
    add("i", fake.s32(), {r12, {-1}, true});
    add("list", fake.pointer("struct list_head"), {rdi, {24}, true});
    add("by_reference", fake.named("struct vm"), {rsp, {8, 0}, false});
    add("seven", fake.u32(), {std::nullopt, {7}, true});
    CodeLocation lost;
    lost.lost = "it was optimised out here";
    add("gone", fake.s32(), lost);
    fake.structure("packed", 8, {{"low", fake.u8(), 0}, {"across", fake.named("u16"), 1, 7, 12}});
    add("packed", fake.pointer("struct packed"), {rax, {0}, true});
    fake.typedef_to("gfn_t", fake.u64());
    add("gfn", fake.named("gfn_t"), {rax, {0}, true});
    add("flag", fake.boolean(), {rsp, {3}, false});
  }

  void add(std::string name, TypeRef type, CodeLocation location) {
    scope_.variables.push_back(
        {.name = std::move(name), .type = type, .location = std::move(location)});
  }
  std::string fetch(std::string_view text) { return fetch_argument(text, scope_).fetch; }
  std::pair<std::string, std::size_t> failure(std::string_view text) {
    try {
      fetch_argument(text, scope_);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage);
      return {error.message(), error.column().value_or(999)};
    }
    return {"no error", 999};
  }

  FetchScope scope_;
};

TEST_F(FetchTest, TurnsMemberChainsIntoOffsetsAroundRegisters) {
  const std::pair<const char*, const char*> cases[] = {
      {"vm", "%di:x64"},
      {"vm->id", "+0(%di):s32"},
      {"vm->mmu", "+16(%di):x64"},
      {"vm->mmu->root.pgd", "+8(+16(%di)):u64"},
      {"vm->mmu->prev_roots[1].hpa", "+48(+16(%di)):u64"},
      {"vm.mmu.root.pgd", "+8(+16(%di)):u64"},  // as the shell takes it
      {"(*vm).id", "+0(%di):s32"},
      {"copy.id", "+88(%sp):s32"},
      {"copy.pages[3]", "+142(%sp):u16"},
      {"*copy.pages", "+136(%sp):u16"},
      {"copy.mmu->root.hpa", "+0(+104(%sp)):u64"},
      {"copy.used", "+152(%sp):u64"},
      {"copy.name[0]", "+96(%sp):s8"},
      {"vm->mmu->root", "more than one number"},
      {"by_reference.level", "+4(+8(%sp)):u32"},
      {"list->next", "+24(%di):x64"},
      {"container_of(list, struct vm, link)->level", "+4(%di):u32"},
      {"vm[2].id", "+176(%di):s32"},
      {"vm[-1].id", "-88(%di):s32"},
      {"((struct mmu *)vm->link.next)->root.hpa", "+0(+24(%di)):u64"},
      {"flag", "+3(%sp):u8"},
      {"gfn", "%ax:x64"},
      {"seven", "\\7:u32"},
  };
  for (const auto& [text, expected] : cases) {
    if (std::string_view(expected).find("more") == std::string_view::npos)
      EXPECT_EQ(fetch(text), expected) << text;
    else
      EXPECT_THAT(failure(text).first, HasSubstr(expected)) << text;
  }
}

TEST_F(FetchTest, BitFieldsAreBitsOfTheNumberThatHoldsThem) {
  EXPECT_EQ(fetch("vm->mmu->role.level"), "+16(+16(%di)):b4@0/32");
  EXPECT_EQ(fetch("vm->mmu->role.direct"), "+16(+16(%di)):b1@4/32");
  EXPECT_EQ(fetch("vm->mmu->role.delta"), "+16(+16(%di)):b3@5/32");
  EXPECT_EQ(fetch("role.level"), "%si:b4@0/64");  // a union in a register
  EXPECT_EQ(fetch("role.word"), "%si:u32");
  // Packed: from bit 15 on, 12 bits, across the border of the second 16-bit number.
  EXPECT_EQ(fetch("packed->across"), "+1(%ax):b12@7/32");
}

TEST_F(FetchTest, KnowsHowTheRecordedBitsAreMeant) {
  const FetchArg delta = fetch_argument("vm->mmu->role.delta", scope_);
  EXPECT_TRUE(delta.is_signed);
  EXPECT_EQ(static_cast<std::int64_t>(value_of(delta, 6)), -2);
  const FetchArg level = fetch_argument("vm->mmu->role.level", scope_);
  EXPECT_EQ(value_of(level, 4), 4u);
  EXPECT_TRUE(fetch_argument("vm", scope_).is_hex);
  EXPECT_TRUE(fetch_argument("gfn", scope_).is_hex);
  EXPECT_FALSE(fetch_argument("vm->id", scope_).is_hex);
}

TEST_F(FetchTest, WhatAFetchArgumentCannotAddIsAddedAfterwards) {
  const FetchArg i = fetch_argument("i", scope_);
  EXPECT_EQ(i.fetch, "%r12:s32");
  EXPECT_EQ(value_of(i, 4), 3u);
  EXPECT_EQ(static_cast<std::int64_t>(value_of(i, 0)), -1);
  const FetchArg address = fetch_argument("&copy.mmu", scope_);
  EXPECT_EQ(address.fetch, "%sp:x64");
  EXPECT_EQ(value_of(address, 0xffffc90000001000), 0xffffc90000001068);
  EXPECT_EQ(value_of(fetch_argument("list", scope_), 0x1000), 0x1018u);
}

TEST_F(FetchTest, SaysWhatCannotBeRecordedAndWhere) {
  struct Case {
    const char* text;
    const char* message;
    std::size_t column;
  };
  const Case cases[] = {
      {"gone", "'gone' is not available at walk+0x10: it was optimised out here", 0},
      {"gonne", "no parameter or local 'gonne' at walk+0x10 (did you mean 'gone'?)", 0},
      {"vm->nothing", "no member 'nothing'", 4},
      {"vm->id + 1", "cannot calculate", 7},
      {"vm->pages[i]", "known now", 10},
      {"copy", "struct vm is more than one number: name a member of it", 0},
      {"vm->name", "name an element of it", 4},
      {"vm->id->x", "no pointer", 8},
      {"&vm", "in a register", 0},
      {"&vm->mmu->role.level", "a bit field", 0},
      {"(char)vm->id", "cannot convert", 0},
      {"$retval", "--return", 0},
      {"$comm", "knows $retval alone", 0},
      {"sizeof(int)", "cannot calculate", 0},
      {"levels(2)", "cannot calculate", 6},
      {"vm->mmu->", "expected a member", 9},
      {"vm->hidden->x", "only declared", 12},
  };
  for (const Case& c : cases) {
    const auto [message, column] = failure(c.text);
    EXPECT_THAT(message, HasSubstr(c.message)) << c.text;
    EXPECT_EQ(column, c.column) << c.text;
  }
}

TEST_F(FetchTest, AChainThatTheKernelWouldRefuseIsRefusedHere) {
  fake.structure("node", 4096, {{"next", fake.pointer("struct node"), 4000}});
  add("node", fake.pointer("struct node"), {rdi, {0}, true});
  std::string chain = "node";
  for (int i = 0; i < 8; ++i) chain += "->next";
  EXPECT_EQ(fetch(chain).size(), 63u);
  EXPECT_THAT(failure(chain + "->next").first, HasSubstr("too many pointers"));
}

TEST_F(FetchTest, AtAReturnThereIsTheResultAlone) {
  scope_.result = fake.pointer("struct vm");
  EXPECT_EQ(fetch("$retval"), "$retval:x64");
  EXPECT_EQ(fetch("$retval->level"), "+4($retval):u32");
  EXPECT_THAT(failure("vm").first, HasSubstr("gone when the function returns"));
  scope_.result = TypeRef();
  EXPECT_THAT(failure("$retval").first, HasSubstr("returns nothing"));
}

TEST(FieldNames, AreWhatTheKernelAllowsAndEachAnother) {
  std::vector<FetchArg> args(7);
  const char* texts[] = {
      "sp->role.level", "sp.role.level", "$retval", "3[x]", "common_pid", "*", ""};
  for (std::size_t i = 0; i < args.size(); ++i) args[i].text = texts[i];
  name_fields(args);
  std::vector<std::string> names;
  for (const FetchArg& arg : args) names.push_back(arg.field);
  EXPECT_THAT(names, ElementsAre("sp_role_level", "sp_role_level_2", "retval", "v_3_x",
                                 "v_common_pid", "v_", "v__2"));
  args[0].text = std::string(100, 'a');
  name_fields(args);
  EXPECT_LE(args[0].field.size(), 31u);
}

}  // namespace
}  // namespace kvmscope::probe
