// Fields by name, with alternatives, and copies of them in as few reads as possible.

#include "core/kernel/fields.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/memory/buffer.hpp"
#include "tests/core/base/expect_error.hpp"
#include "tests/support/dump_files.hpp"
#include "tests/support/fake_kernel_declarations.hpp"

namespace kvmscope {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

constexpr VirtAddr at{0xffff888000001000};

class Fields : public testing::Test {
 protected:
  Fields() {
    declare(fake_, R"(
      struct pair { u32 first; u32 second; };
      union word { u32 all; struct { unsigned low:4, :3, flag:1; int minus:5; }; };
      struct sample {
        u64 number; int negative; bool yes;
        struct { union { u64 renamed; }; };
        struct pair pairs[3]; union word word; char text[8];
        struct unknown *pointer;
        u8 between[200]; u64 near_one;
        u8 gap[5000]; u64 far_one; u64 huge[1024]; u64 flexible[];
      };)");
    types_.add("kvm", [this] { return &fake_; });
    memory_.add_zeros(at, 16384);
  }

  const Type& sample() const { return types_.get(TypeKind::structure, "sample"); }
  std::optional<std::uint64_t> bit_offset(std::string_view path) const {
    const std::optional<FoundMember> found = find_path(types_, sample(), path);
    return found ? std::optional(found->bit_offset) : std::nullopt;
  }
  VirtAddr place(std::string_view path) const { return at + bit_offset(path).value() / 8; }

  FakeTypes fake_;
  Types types_;
  BufferReader<VirtAddr> memory_;
};

struct Sample : FieldGroup {
  explicit Sample(const Types& types) : FieldGroup(types, "struct sample") {}
  Field number = field({"number"});
  Field negative = field({"negative"});
  Field yes = field({"yes"});
  Field renamed = field({"new_name", "renamed", "number"});
  Field gone = optional({"never.was", "here"});
  Field required_gone = field({"also_gone"});
  Field pairs = field({"pairs"});
  Field second = field({"pairs[1].second"});
  Field flag = field({"word.flag"});
  Field minus = field({"word.minus"});
  Field text = field({"text"});
};

// ---- paths

TEST_F(Fields, AreFoundByPath) {
  EXPECT_EQ(bit_offset("number"), 0u);
  EXPECT_EQ(bit_offset("renamed"), 128u);  // in an anonymous union of an anonymous struct
  EXPECT_EQ(bit_offset("pairs[2].second"), bit_offset("pairs").value() + 64 * 2 + 32);
  EXPECT_EQ(bit_offset("word.flag"), bit_offset("word").value() + 7);
  EXPECT_EQ(bit_offset("flexible[7]"), bit_offset("flexible").value() + 64 * 7);
  EXPECT_EQ(find_path(types_, sample(), "word.minus")->bit_size, 5u);
}

TEST_F(Fields, AreNotFoundByAWrongPath) {
  for (const char* path : {"none", "number.low", "pairs[3].first", "pairs.first", "number[0]",
                           "pointer.member", "word.none", "pairs[0].none"})
    EXPECT_EQ(bit_offset(path), std::nullopt) << path;
}

TEST_F(Fields, RefuseAPathThatIsMalformed) {
  for (const char* path : {"pairs[", "pairs[]", "pairs[x]", "pairs[1", "pairs[1]x", "pairs[-1]"})
    EXPECT_ERROR(bit_offset(path), ErrorKind::usage, "is no path of members");
}

// ---- groups

TEST_F(Fields, TakeTheFirstSpellingThatIsThere) {
  const Sample fields(types_);
  EXPECT_EQ(fields.renamed.spelling, "renamed");
  EXPECT_EQ(fields.renamed.offset, 16u);
  EXPECT_EQ(fields.renamed.structure, "struct sample");
  EXPECT_FALSE(fields.gone.present());
  EXPECT_EQ(fields.gone.spelling, "");
  EXPECT_EQ(fields.resolutions()[3].spellings.size(), 3u);
  EXPECT_EQ(fields.resolutions()[3].origin, "kvm");
  EXPECT_FALSE(fields.resolutions()[4].required);
  EXPECT_EQ(fields.size(), sample().size);
}

TEST_F(Fields, KnowTheirArrays) {
  const Sample fields(types_);
  EXPECT_EQ(fields.pairs.count(), 3u);
  EXPECT_EQ(fields.pairs.element_size(), 8u);
  EXPECT_ERROR(fields.number.element_size(), ErrorKind::corrupt, "not an array");
  EXPECT_ERROR(fields.gone.count(), ErrorKind::corrupt, "see `layout`");
}

TEST_F(Fields, OfAStructureThatNobodyKnowsAreAllMissing) {
  struct Unknown : FieldGroup {
    explicit Unknown(const Types& types) : FieldGroup(types, "struct nobody") {}
    Field a = field({"a"});
  };
  const Unknown fields(types_);
  EXPECT_FALSE(fields.a.present());
  EXPECT_EQ(fields.resolutions()[0].origin, "");
  EXPECT_ERROR(require(fields.a), ErrorKind::corrupt, "struct nobody");
  EXPECT_ERROR(StructCopy(fields, memory_, at), ErrorKind::corrupt, "struct nobody");
}

TEST_F(Fields, OfAUnionAreFoundToo) {
  struct Word : FieldGroup {
    explicit Word(const Types& types) : FieldGroup(types, "union word") {}
    Field all = field({"all"});
  };
  EXPECT_TRUE(Word(types_).all.present());
}

// ---- copies

TEST_F(Fields, HaveTheirValues) {
  memory_.set_u64(place("number"), 0x1122334455667788);
  memory_.set_u32(place("negative"), static_cast<std::uint32_t>(-5));
  memory_.set(place("yes"), std::uint8_t{1});
  memory_.set_u64(place("renamed"), 42);
  memory_.set_u32(place("pairs[1].second"), 77);
  memory_.add(place("text"), "kvm\0xxxx");
  const Sample fields(types_);
  const StructCopy copy(fields, memory_, at);

  EXPECT_EQ(copy.get(fields.number), 0x1122334455667788u);
  EXPECT_EQ(copy.get(fields.negative), 0xfffffffbu);
  EXPECT_EQ(copy.get_signed(fields.negative), -5);
  EXPECT_EQ(copy.get(fields.yes), 1u);
  EXPECT_EQ(copy.find(fields.renamed), 42u);
  EXPECT_EQ(copy.get(fields.second), 77u);
  EXPECT_EQ(text_of(copy.bytes(fields.text)), "kvm");
  EXPECT_EQ(copy.address_of(fields.renamed), at + 16);
  EXPECT_EQ(copy.pointer(fields.number), VirtAddr{0x1122334455667788});
  EXPECT_EQ(copy.address(), at);
}

TEST_F(Fields, AreTheirBytesAloneAlsoAtTheEndOfACopy) {
  struct Start : FieldGroup {
    explicit Start(const Types& types) : FieldGroup(types, "struct sample") {}
    Field number = field({"number"});
    Field negative = field({"negative"});
    Field yes = field({"yes"});
  };
  memory_.add(at, filled(std::byte{0xff}, 64));
  memory_.set_u32(place("negative"), 0x12345678);
  memory_.set(place("yes"), std::uint8_t{1});
  const Start last(types_);
  const StructCopy start(last, memory_, at);
  EXPECT_EQ(start.get(last.number), ~0ULL);
  EXPECT_EQ(start.get(last.negative), 0x12345678u);
  EXPECT_EQ(start.get(last.yes), 1u);
  const Sample fields(types_);
  const StructCopy copy(fields, memory_, at);
  EXPECT_EQ(copy.get(fields.negative), 0x12345678u);
  EXPECT_EQ(copy.get(fields.yes), 1u);
}

TEST_F(Fields, MayBeBits) {
  memory_.set_u32(place("word"), 1U << 7 | 0x1fU << 8 | 0xfU);
  const Sample fields(types_);
  const StructCopy copy(fields, memory_, at);
  EXPECT_EQ(copy.get(fields.flag), 1u);
  EXPECT_EQ(copy.get(fields.minus), 0x1fu);
  EXPECT_EQ(copy.get_signed(fields.minus), -1);
}

TEST_F(Fields, MayBeElementsOfAnArray) {
  struct Text : FieldGroup {
    explicit Text(const Types& types) : FieldGroup(types, "struct sample") {}
    Field text = field({"text"});
  };
  memory_.add(place("text"), "abc");
  const Text fields(types_);
  const StructCopy copy(fields, memory_, at);
  EXPECT_EQ(copy.get(fields.text, 2), static_cast<std::uint64_t>('c'));
  EXPECT_ERROR(copy.get(fields.text, 8), ErrorKind::internal, "index 8 outside");
}

TEST_F(Fields, ThatAreMissingAreToldWhenTheyAreRead) {
  const Sample fields(types_);
  const StructCopy copy(fields, memory_, at);
  EXPECT_EQ(copy.find(fields.gone), std::nullopt);
  EXPECT_ERROR(copy.get(fields.required_gone), ErrorKind::corrupt, "struct sample has no member");
  EXPECT_ERROR(copy.address_of(fields.gone), ErrorKind::corrupt, "has no member");
}

TEST_F(Fields, CloseToEachOtherComeInOneRead) {
  struct Near : FieldGroup {
    explicit Near(const Types& types) : FieldGroup(types, "struct sample") {}
    Field late = field({"near_one"});
    Field early = field({"number"});
    Field middle = field({"renamed"});
  };
  const Near fields(types_);
  ASSERT_THAT(fields.spans(), SizeIs(1));
  EXPECT_EQ(fields.spans()[0].offset, 0u);

  const std::uint64_t before = memory_.counts().reads;
  const StructCopy copy(fields, memory_, at);
  EXPECT_EQ(memory_.counts().reads - before, 1u);
}

TEST_F(Fields, FarFromEachOtherComeInOneReadEach) {
  struct Far : FieldGroup {
    explicit Far(const Types& types) : FieldGroup(types, "struct sample") {}
    Field far_one = field({"far_one"});
    Field number = field({"number"});
  };
  const Far fields(types_);
  ASSERT_THAT(fields.spans(), SizeIs(2));
  EXPECT_LT(fields.spans()[0].offset, fields.spans()[1].offset);
  memory_.set_u64(place("far_one"), 9);
  memory_.set_u64(at, 8);

  const std::uint64_t before = memory_.counts().reads;
  const StructCopy copy(fields, memory_, at);
  EXPECT_EQ(memory_.counts().reads - before, 2u);
  EXPECT_EQ(copy.get(fields.far_one), 9u);
  EXPECT_EQ(copy.get(fields.number), 8u);
}

// What lies between two spans is not needed.
TEST_F(Fields, BridgeAMissingPageBetweenThem) {
  struct Far : FieldGroup {
    explicit Far(const Types& types) : FieldGroup(types, "struct sample") {}
    Field far_one = field({"far_one"});
    Field number = field({"number"});
  };
  memory_.remove(at + 1024, 2048);
  EXPECT_NO_THROW(StructCopy(Far(types_), memory_, at).address());
}

TEST_F(Fields, JoinedByAThirdBecomeOneSpan) {
  struct Joined : FieldGroup {
    explicit Joined(const Types& types) : FieldGroup(types, "struct sample") {}
    Field a = field({"gap[0]"});
    Field c = field({"gap[1800]"});
    Field b = field({"gap[900]"});
  };
  EXPECT_THAT(Joined(types_).spans(), SizeIs(1));
}

TEST_F(Fields, ThatArePlacesAreNotCopied) {
  struct Places : FieldGroup {
    explicit Places(const Types& types) : FieldGroup(types, "struct sample") {}
    Field number = place({"number"});
    Field huge = field({"huge"});  // too large to be copied with the rest
    Field none = optional_place({"none"});
    Field far_one = field({"far_one"});
  };
  const Places fields(types_);
  ASSERT_THAT(fields.spans(), SizeIs(1));
  EXPECT_EQ(fields.spans()[0].size, 8u);
  const StructCopy copy(fields, memory_, at);
  EXPECT_EQ(copy.address_of(fields.number), at);
  EXPECT_ERROR(copy.get(fields.number), ErrorKind::internal, "was not copied");
}

TEST_F(Fields, OfMissingMemoryAreAFault) {
  memory_.remove(at + 8, 1);
  EXPECT_ERROR(StructCopy(Sample(types_), memory_, at), ErrorKind::fault, "no such memory");
}

TEST(TextOf, EndsAtTheFirstNulOrWithTheField) {
  const auto text = [](std::string_view bytes) { return text_of(std::as_bytes(std::span(bytes))); };
  EXPECT_EQ(text(std::string_view("ab\0cd", 5)), "ab");
  EXPECT_EQ(text("abcd"), "abcd");
  EXPECT_EQ(text(""), "");
}

}  // namespace
}  // namespace kvmscope
