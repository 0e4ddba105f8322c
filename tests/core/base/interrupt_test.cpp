// The interrupt flag: set by Ctrl-C, seen by loops.

#include "core/base/interrupt.hpp"

#include <gtest/gtest.h>

#include <csignal>

#include "tests/core/base/expect_error.hpp"

namespace kvmscope {
namespace {

class Interrupt : public testing::Test {
 protected:
  ~Interrupt() override { clear_interrupted(); }
};

TEST_F(Interrupt, IsSeenByTheNextCheck) {
  EXPECT_NO_THROW(check_interrupt());
  set_interrupted();
  EXPECT_TRUE(interrupted());
  EXPECT_ERROR(check_interrupt(), ErrorKind::interrupted, "");
}

TEST_F(Interrupt, StaysUntilItIsCleared) {
  set_interrupted();
  EXPECT_ERROR(check_interrupt(), ErrorKind::interrupted, "");
  EXPECT_TRUE(interrupted());
  clear_interrupted();
  EXPECT_FALSE(interrupted());
}

TEST_F(Interrupt, ComesFromTheSignal) {
  catch_interrupts();
  std::raise(SIGINT);
  EXPECT_TRUE(interrupted());
  std::signal(SIGINT, SIG_DFL);
}

}  // namespace
}  // namespace kvmscope
