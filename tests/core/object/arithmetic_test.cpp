// C's operators: promotions, conversions, pointers, and what is refused.

#include "core/object/arithmetic.hpp"

#include <gmock/gmock.h>

#include <limits>

#include "tests/core/object/object_fixture.hpp"

namespace kvmscope {
namespace {

using testing::HasSubstr;
using Op = BinaryOperator;

class Arithmetic : public ObjectFixture {
 protected:
  Object int_value(std::int64_t value) {
    return number(fake.s32(), static_cast<std::uint64_t>(value));
  }
  std::string type_of(Op op, const Object& a, const Object& b) {
    return type_name(apply(op, a, b).type());
  }
};

TEST_F(Arithmetic, SmallTypesBecomeIntsAndUnsignedWins) {
  EXPECT_EQ(type_of(Op::add, number(fake.u8(), 255), number(fake.u16(), 1)), "int");
  EXPECT_EQ(apply(Op::add, number(fake.u8(), 255), number(fake.u8(), 1)).as_signed(), 256);
  EXPECT_EQ(type_of(Op::add, int_value(1), number(fake.u32(), 1)), "unsigned int");
  EXPECT_EQ(type_of(Op::add, number(fake.u32(), 1), number(fake.s64(), 1)), "long");
  EXPECT_EQ(type_of(Op::add, number(fake.u64(), 1), number(fake.s64(), 1)), "unsigned long");
  EXPECT_EQ(type_of(Op::add, number(fake.boolean(), 1), number(fake.boolean(), 1)), "int");
}

TEST_F(Arithmetic, ATypedefStaysWhereItIsTheCommonType) {
  const Type& u64 = type(TypeKind::typedef_type, "u64");
  EXPECT_EQ(type_of(Op::add, int_value(1), number(u64, 1)), "u64");
  EXPECT_EQ(type_of(Op::bit_or, number(fake.u64(), 1), number(u64, 1)), "u64");
}

TEST_F(Arithmetic, ComparisonsAreDoneInTheCommonType) {
  EXPECT_TRUE(apply(Op::less, int_value(-1), int_value(0)).as_bool());
  EXPECT_FALSE(apply(Op::less, int_value(-1), number(fake.u32(), 0)).as_bool());
  EXPECT_TRUE(apply(Op::less, int_value(-1), number(fake.u16(), 0)).as_bool());
  EXPECT_TRUE(apply(Op::equal, int_value(-1), number(fake.u64(), ~0ULL)).as_bool());
}

TEST_F(Arithmetic, NumbersWrapAsInTheKernel) {
  EXPECT_EQ(apply(Op::add, number(fake.u32(), 0xffffffff), int_value(1)).as_unsigned(), 0u);
  EXPECT_EQ(apply(Op::multiply, int_value(0x10000), int_value(0x10000)).as_signed(), 0);
  const auto lowest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(apply(Op::divide, number(fake.s64(), lowest), int_value(-1)).as_unsigned(), lowest);
  EXPECT_EQ(apply(Op::remainder, number(fake.s64(), lowest), int_value(-1)).as_unsigned(), 0u);
  EXPECT_EQ(apply(Op::divide, int_value(-7), int_value(2)).as_signed(), -3);
  EXPECT_EQ(apply(Op::remainder, int_value(-7), int_value(2)).as_signed(), -1);
}

TEST_F(Arithmetic, UnaryOperatorsPromote) {
  EXPECT_EQ(apply(UnaryOperator::complement, number(fake.u8(), 0)).as_signed(), -1);
  EXPECT_EQ(apply(UnaryOperator::minus, number(fake.u32(), 1)).as_unsigned(), 0xffffffffu);
  EXPECT_EQ(apply(UnaryOperator::logical_not, vm_object().member("mmu")).as_unsigned(), 0u);
  EXPECT_EQ(apply(UnaryOperator::plus, number(fake.s8(), 0xff)).as_signed(), -1);
}

TEST_F(Arithmetic, ShiftsKeepTheTypeOfTheLeftOperand) {
  EXPECT_EQ(apply(Op::shift_left, number(fake.u64(), 1), int_value(40)).as_unsigned(), 1ULL << 40);
  EXPECT_EQ(apply(Op::shift_right, int_value(-8), int_value(1)).as_signed(), -4);
  EXPECT_EQ(apply(Op::shift_right, number(fake.u32(), 0x80000000), int_value(31)).as_unsigned(),
            1u);
}

TEST_F(Arithmetic, PointersMoveByTheirElement) {
  const Object pages = vm_object().member("pages");
  EXPECT_EQ(apply(Op::add, pages, int_value(3)).as_unsigned(), vm.value + 54);
  EXPECT_EQ(apply(Op::add, int_value(3), pages).as_unsigned(), vm.value + 54);
  EXPECT_EQ(apply(Op::subtract, vm_object().member("mmu"), int_value(1)).as_unsigned(),
            mmu.value - 64);
  EXPECT_EQ(apply(Op::add, vm_object().member("private").cast(fake.void_pointer()), int_value(3))
                .as_unsigned(),
            3u);
  const Object end = apply(Op::add, pages, int_value(8));
  EXPECT_EQ(apply(Op::subtract, end, pages).as_signed(), 8);
  EXPECT_EQ(apply(Op::subtract, pages, end).as_signed(), -8);
  EXPECT_TRUE(apply(Op::greater, end, pages).as_bool());
  EXPECT_TRUE(apply(Op::equal, vm_object().member("mmu"), number(fake.u64(), mmu.value)).as_bool());
}

TEST_F(Arithmetic, WhatCIsNotDefinedForIsAnError) {
  const Object one = int_value(1);
  EXPECT_EQ(error_of([&] { apply(Op::divide, one, int_value(0)); }), "division by zero");
  EXPECT_EQ(error_of([&] { apply(Op::remainder, number(fake.u64(), 1), int_value(0)); }),
            "division by zero");
  EXPECT_THAT(error_of([&] { apply(Op::shift_left, one, int_value(32)); }),
              HasSubstr("a shift by 32 of the 32 bits of int"));
  EXPECT_THAT(error_of([&] { apply(Op::shift_right, one, int_value(-1)); }),
              HasSubstr("a shift by -1"));
  EXPECT_EQ(error_of([&] { apply(Op::shift_left, number(fake.u64(), 1), int_value(63)); }), "");
  const Object pointer = vm_object().member("mmu");
  EXPECT_THAT(error_of([&] { apply(Op::multiply, pointer, one); }),
              HasSubstr("struct mmu * * int makes no sense"));
  EXPECT_THAT(error_of([&] { apply(Op::add, pointer, pointer); }), HasSubstr("makes no sense"));
  EXPECT_THAT(error_of([&] { apply(Op::subtract, one, pointer); }), HasSubstr("makes no sense"));
  EXPECT_THAT(error_of([&] { apply(Op::subtract, pointer, vm_object().member("pages")); }),
              HasSubstr("point to different types"));
  EXPECT_THAT(error_of([&] { apply(Op::add, vm_object(), one); }),
              HasSubstr("struct vm is no number"));
  EXPECT_THAT(error_of([&] { apply(UnaryOperator::minus, pointer); }), HasSubstr("is no number"));
}

}  // namespace
}  // namespace kvmscope
