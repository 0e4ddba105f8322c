// An expectation that an expression throws an Error of one kind with some words in it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "core/base/error.hpp"

namespace kvmscope {

// The Error that `body` throws; none when it throws nothing.
template <typename Body>
std::optional<Error> error_of(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

}  // namespace kvmscope

// `words` are looked for in the message and its context.
#define EXPECT_ERROR(expression, expected_kind, words)                           \
  do {                                                                           \
    const auto thrown = ::kvmscope::error_of([&] { (void)(expression); });       \
    EXPECT_TRUE(thrown) << #expression " threw nothing";                         \
    if (!thrown) break;                                                          \
    EXPECT_EQ(static_cast<int>(thrown->kind()), static_cast<int>(expected_kind)) \
        << thrown->what();                                                       \
    EXPECT_THAT(std::string(thrown->what()), ::testing::HasSubstr(words));       \
  } while (false)
