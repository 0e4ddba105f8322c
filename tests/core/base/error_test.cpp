// The one error type: its text, its context, and the statuses that a program ends with.

#include "core/base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/base/expect_error.hpp"

namespace kvmscope {
namespace {

using testing::ElementsAre;

TEST(Error, HasItsMessageAndThenItsContext) {
  Error error(ErrorKind::fault, "no such memory at 0x10");
  EXPECT_STREQ(error.what(), "no such memory at 0x10");
  error.add_context("reading root of vcpu 3");
  error.add_context("listing roots");
  EXPECT_STREQ(error.what(), "no such memory at 0x10 (reading root of vcpu 3, listing roots)");
  EXPECT_EQ(error.message(), "no such memory at 0x10");
  EXPECT_THAT(error.context(), ElementsAre("reading root of vcpu 3", "listing roots"));
}

TEST(Error, KnowsItsPlaceInALineOnlyIfItIsGivenOne) {
  Error error(ErrorKind::usage, "unknown command");
  EXPECT_EQ(error.column(), std::nullopt);
  error.set_column(4);
  EXPECT_EQ(error.column(), 4u);
}

TEST(Error, EndsTheProgramWithTheStatusOfItsKind) {
  EXPECT_EQ(exit_status(ErrorKind::usage), 2);
  EXPECT_EQ(exit_status(ErrorKind::unavailable), 3);
  EXPECT_EQ(exit_status(ErrorKind::fault), 4);
  EXPECT_EQ(exit_status(ErrorKind::corrupt), 5);
  EXPECT_EQ(exit_status(ErrorKind::torn), 4);
  EXPECT_EQ(exit_status(ErrorKind::limit), 4);
  EXPECT_EQ(exit_status(ErrorKind::internal), 70);
  EXPECT_EQ(exit_status(ErrorKind::interrupted), 130);
}

TEST(ThrowError, FormatsItsMessage) {
  EXPECT_ERROR(throw_error(ErrorKind::corrupt, "list at {:#x} has a loop", 0x1000),
               ErrorKind::corrupt, "list at 0x1000 has a loop");
}

TEST(WithContext, ReturnsWhatTheBodyReturns) {
  int described = 0;
  const auto describe = [&] {
    ++described;
    return std::string("reading");
  };
  EXPECT_EQ(with_context(describe, [] { return 7; }), 7);
  EXPECT_EQ(described, 0);  // not needed, so not made
  int value = 1;
  with_context(describe, [&]() -> int& { return value; }) = 2;
  EXPECT_EQ(value, 2);
}

TEST(WithContext, AddsALineToAnErrorOnItsWayUp) {
  EXPECT_ERROR(with_context([] { return "outer"; },
                            [] {
                              with_context([] { return "inner"; },
                                           [] { throw_error(ErrorKind::fault, "lost"); });
                            }),
               ErrorKind::fault, "lost (inner, outer)");
}

TEST(IfReadable, HasNoResultAfterAFaultOrCorruptData) {
  EXPECT_EQ(if_readable([] { return 3; }), 3);
  EXPECT_EQ(if_readable([]() -> int { throw Error(ErrorKind::fault, ""); }), std::nullopt);
  EXPECT_EQ(if_readable([]() -> int { throw Error(ErrorKind::corrupt, ""); }), std::nullopt);
}

TEST(IfReadable, LetsOtherErrorsPass) {
  for (const ErrorKind kind :
       {ErrorKind::usage, ErrorKind::unavailable, ErrorKind::internal, ErrorKind::interrupted})
    EXPECT_ERROR(if_readable([&]() -> int { throw Error(kind, "other"); }), kind, "other");
}

}  // namespace
}  // namespace kvmscope
