// Memory that changes while it is read: what a recording notices, and what it costs.

#include "core/memory/steady.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/memory/buffer.hpp"
#include "core/memory/settle.hpp"
#include "tests/core/base/expect_error.hpp"

namespace kvmscope {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

constexpr VirtAddr place{0x1000};
constexpr VirtAddr far_away{0x9000};

class Steady : public testing::Test {
 protected:
  Steady() {
    memory_.add_zeros(place, page_size);
    memory_.add_zeros(far_away, page_size);
  }

  std::uint64_t reads() const { return memory_.counts().reads; }

  BufferReader<VirtAddr> memory_;
  SteadyMemory steady_{memory_};
};

TEST_F(Steady, NothingChangedWhereAllReadsTheSame) {
  Recording recording(&steady_);
  steady_.u64(place);
  steady_.u64(far_away);
  EXPECT_THAT(recording.changes(), IsEmpty());
  EXPECT_EQ(recording.change(), "");
}

TEST_F(Steady, SaysWhatChangedFromWhatToWhat) {
  Recording recording(&steady_);
  steady_.u64(place);
  memory_.set_u64(place, 7);
  EXPECT_EQ(recording.change(), "8 bytes at 0x1000 was 0x0, is 0x7");
}

TEST_F(Steady, NamesTheMemberThatChanged) {
  Recording recording(&steady_);
  std::array<std::byte, 4> bytes{};
  steady_.peek(place + 4, bytes);
  steady_.used(place + 4, bytes, {"struct kvm_mmu_page", "role.word"});
  memory_.set_u32(place + 4, 0x8000);
  EXPECT_EQ(recording.change(), "role.word of struct kvm_mmu_page at 0x1004 was 0x0, is 0x8000");
}

TEST_F(Steady, BytesThatWereOnlyPeekedAtMayChange) {
  Recording recording(&steady_);
  std::array<std::byte, 64> bytes{};
  steady_.peek(place, bytes);
  steady_.used(place + 8, Bytes(bytes).subspan(8, 8), {});
  memory_.set_u64(place, 1);
  EXPECT_EQ(recording.change(), "");
  memory_.set_u64(place + 8, 1);
  EXPECT_NE(recording.change(), "");
}

TEST_F(Steady, TellsPartsApart) {
  Recording recording(&steady_);
  for (std::size_t part = 0; part < 3; ++part) {
    recording.part(part);
    steady_.u64(place + 64 * part);
  }
  memory_.set_u64(place + 64, 1);
  EXPECT_THAT(recording.changes(), UnorderedElementsAre(Pair(1, HasSubstr("0x1040"))));
  recording.forget(1);
  EXPECT_THAT(recording.changes(), IsEmpty());
}

TEST_F(Steady, ReadsAgainTogetherWhatLiesClose) {
  Recording recording(&steady_);
  for (std::uint64_t at = 0; at < page_size; at += 64) steady_.u64(place + at);
  const std::uint64_t before = reads();
  recording.changes();
  EXPECT_EQ(reads() - before, 1u);
}

TEST_F(Steady, NoticesThatMemoryCameOrWent) {
  Recording recording(&steady_);
  steady_.u64(place);
  EXPECT_ERROR(steady_.u64({0x5000}), ErrorKind::fault, "0x5000");
  EXPECT_EQ(recording.change(), "") << "it still cannot be read";
  memory_.add_zeros({0x5000}, 8);
  EXPECT_EQ(recording.change(), "8 bytes at 0x5000 can be read now");
  memory_.remove(place, 8);
  EXPECT_THAT(recording.change(), HasSubstr("cannot be read any more"));
}

TEST_F(Steady, TheInnermostRecordingHasTheUse) {
  Recording outer(&steady_);
  {
    Recording inner(&steady_);
    steady_.u64(place);
    memory_.set_u64(place, 1);
    EXPECT_NE(inner.change(), "");
  }
  EXPECT_EQ(outer.change(), "");
  steady_.u64(far_away);
  memory_.set_u64(far_away, 1);
  EXPECT_NE(outer.change(), "");
}

TEST_F(Steady, AKeptBlockServesReadsUntilItIsFoundToHaveChanged) {
  steady_.keep(place, 256);
  memory_.set_u64(place + 8, 5);
  Recording recording(&steady_);
  const std::uint64_t before = reads();
  EXPECT_EQ(steady_.u64(place + 8), 0u);
  EXPECT_EQ(reads(), before);
  EXPECT_THAT(recording.change(), HasSubstr("was 0x0, is 0x5"));
  EXPECT_EQ(steady_.u64(place + 8), 5u) << "the block is forgotten";
}

TEST_F(Steady, StopsAtTheLimitOfBytes) {
  steady_.start({.bytes = 16});
  steady_.u64(place);
  steady_.u64(place);
  EXPECT_ERROR(steady_.u64(place), ErrorKind::limit, "--max-bytes");
  steady_.start({});
  EXPECT_EQ(steady_.u64(place), 0u);
}

TEST_F(Steady, StopsAtTheLimitOfTime) {
  std::chrono::milliseconds taken(0);
  steady_.start({.time = std::chrono::milliseconds(1500), .taken = [&] { return taken; }});
  steady_.u64(place);
  taken = std::chrono::milliseconds(1501);
  EXPECT_ERROR(steady_.u64(place), ErrorKind::limit, "for 1.5 s (--max-seconds");
}

// ---- settle()

TEST_F(Steady, SettlesWhenNothingChangesAnyMore) {
  unsigned runs = 0;
  std::uint64_t value = 0;
  const std::string change = settle(&steady_, [&] {
    value = steady_.u64(place);
    if (++runs < 3) memory_.set_u64(place, runs);
  });
  EXPECT_EQ(change, "");
  EXPECT_EQ(runs, 3u);
  EXPECT_EQ(value, 2u);
}

TEST_F(Steady, GivesUpAfterAFewAttempts) {
  unsigned runs = 0;
  const std::string change = settle(&steady_, [&] {
    steady_.u64(place);
    memory_.set_u64(place, ++runs);
  });
  EXPECT_EQ(runs, most_attempts);
  EXPECT_EQ(change, "8 bytes at 0x1000 was 0x2, is 0x3");
}

TEST_F(Steady, DamageThatStaysTheSameIsTheKernelsOwn) {
  unsigned runs = 0;
  EXPECT_ERROR(settle(&steady_,
                      [&] {
                        ++runs;
                        steady_.u64(place);
                        throw Error(ErrorKind::corrupt, "a loop");
                      }),
               ErrorKind::corrupt, "a loop");
  EXPECT_EQ(runs, most_attempts);
}

TEST_F(Steady, DamageThatChangesIsTorn) {
  unsigned runs = 0;
  EXPECT_ERROR(
      settle(&steady_, [&] { throw Error(ErrorKind::corrupt, fmt::format("poison {}", ++runs)); }),
      ErrorKind::torn, "it changed while it was read: poison 3");
}

TEST_F(Steady, DamageThatGoesAwayIsForgotten) {
  unsigned runs = 0;
  EXPECT_EQ(settle(&steady_,
                   [&] {
                     if (++runs == 1) throw Error(ErrorKind::corrupt, "poison");
                   }),
            "");
  EXPECT_EQ(runs, 2u);
}

TEST(Settle, RunsOnceOnMemoryThatStandsStill) {
  unsigned runs = 0;
  EXPECT_EQ(settle(nullptr, [&] { ++runs; }), "");
  EXPECT_EQ(runs, 1u);
}

}  // namespace
}  // namespace kvmscope
