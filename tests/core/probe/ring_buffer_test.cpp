// Trace pages, made event by event, and ones that no kernel would write.

#include "core/probe/ring_buffer.hpp"

#include <gtest/gtest.h>

#include <random>

#include "tests/core/base/expect_error.hpp"
#include "tests/support/fake_tracefs.hpp"

namespace kvmscope::probe {
namespace {

Bytes bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string text_of_event(const RawEvent& event) {
  return {reinterpret_cast<const char*>(event.data.data()), event.data.size()};
}

constexpr std::uint32_t padding = 29;
constexpr std::uint32_t time_stamp = 31;

struct Read {
  PageReport report;
  std::vector<std::uint64_t> times;
  std::vector<std::string> texts;
};

Read read(const std::string& page) {
  std::vector<RawEvent> events;
  Read result{read_page({}, bytes_of(page), events), {}, {}};
  for (const RawEvent& event : events) {
    result.times.push_back(event.time_ns);
    result.texts.push_back(text_of_event(event));
  }
  return result;
}

TEST(TracePages, HoldEventsWithTimesRelativeToEachOther) {
  const Read page = read(TracePage(1000).event(1000, "abcd").event(1500, "efghijkl").bytes());
  EXPECT_EQ(page.report.damage, "");
  EXPECT_EQ(page.times, (std::vector<std::uint64_t>{1000, 1500}));
  EXPECT_EQ(page.texts, (std::vector<std::string>{"abcd", "efghijkl"}));
}

TEST(TracePages, ALongPauseIsATimeExtend) {
  const std::uint64_t start = 5'000'000'000;
  const std::uint64_t later = start + 3'600'000'000'000;
  EXPECT_EQ(read(TracePage(start).event(later, "abcd").event(later + 1, "abcd").bytes()).times,
            (std::vector<std::uint64_t>{later, later + 1}));
}

TEST(TracePages, ALongEventHasItsLengthInFront) {
  const std::string data(200, 'x');
  const Read page = read(TracePage(7).event(8, data).event(9, "next").bytes());
  EXPECT_EQ(page.texts, (std::vector<std::string>{data, "next"}));
}

TEST(TracePages, ATimeStampIsAbsoluteButForItsHighestBits) {
  const std::uint64_t high = 1ULL << 60;
  TracePage page(high + 5);
  page.raw(3U << 5 | time_stamp).raw(2).event(high + 5, "abcd");
  EXPECT_EQ(read(page.bytes()).times, (std::vector<std::uint64_t>{high + (2ULL << 27) + 3}));
}

TEST(TracePages, DiscardedEventsAreSkippedAndTheirTimeCounts) {
  TracePage page(100);
  page.raw(10U << 5 | padding).raw(8).raw(0x11111111).event(105, "abcd");
  EXPECT_EQ(read(page.bytes()).times, std::vector<std::uint64_t>{115});
}

TEST(TracePages, NothingFollowsPaddingWithoutATime) {
  TracePage page(100);
  page.event(100, "abcd").raw(padding).raw(0xffffffff);
  const Read result = read(page.bytes());
  EXPECT_EQ(result.texts, std::vector<std::string>{"abcd"});
  EXPECT_EQ(result.report.damage, "");
}

TEST(TracePages, SayHowManyEventsWereOverwritten) {
  const Read counted = read(TracePage(1).event(1, "abcd").missed(42).bytes());
  EXPECT_TRUE(counted.report.missed);
  EXPECT_EQ(counted.report.missed_count, 42U);
  EXPECT_EQ(counted.texts.size(), 1U);
  const TracePage page = TracePage(1).event(1, "abcd");
  const Read uncounted = read(page.bytes_with_commit(page.length() | 1ULL << 31));
  EXPECT_TRUE(uncounted.report.missed);
  EXPECT_EQ(uncounted.report.missed_count, 0U);
}

TEST(TracePages, AnEventThatLeavesThePageEndsIt) {
  TracePage page(1);
  page.event(1, "abcd").raw(28).raw(0);
  const Read result = read(page.bytes());
  EXPECT_EQ(result.texts, std::vector<std::string>{"abcd"});
  EXPECT_EQ(result.report.damage, "an event in it is longer than the page");
  for (const std::uint32_t length : {0U, 3U, 5000U, 0xffffffffU}) {
    TracePage long_event(1);
    long_event.raw(0).raw(length);
    EXPECT_EQ(read(long_event.bytes()).report.damage, "an event in it is longer than the page");
  }
}

TEST(TracePages, AHeaderThatLeavesThePageEndsIt) {
  TracePage page(1);
  page.event(1, "abcd").raw(30);
  EXPECT_EQ(read(page.bytes()).report.damage, "it ends inside an event's header");
  EXPECT_EQ(read(page.bytes_with_commit(page.length() - 2)).report.damage,
            "it ends inside an event's header");
}

TEST(TracePages, ALengthBeyondThePageIsDamage) {
  const Read page = read(TracePage(1).event(1, "abcd").bytes_with_commit(4081));
  EXPECT_EQ(page.report.damage, "it says that it holds more than fits into it");
  EXPECT_TRUE(page.texts.empty());
  EXPECT_EQ(read("short").report.damage, "it is shorter than a page's header");
}

TEST(TracePages, OfRandomBytesAreReadInBounds) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::string page(4096, '\0');
    for (char& byte : page) byte = static_cast<char>(random());
    const std::uint64_t commit = random() % 5000 | std::uint64_t{random() % 4} << 30;
    std::memcpy(page.data() + 8, &commit, sizeof commit);
    std::vector<RawEvent> events;
    read_page({}, bytes_of(page), events);
    for (const RawEvent& event : events) {
      const auto* start = reinterpret_cast<const char*>(event.data.data());
      ASSERT_GE(start, page.data() + 16);
      ASSERT_LE(start + event.data.size(), page.data() + page.size());
    }
  }
}

TEST(PageLayout, ComesFromHeaderPage) {
  const PageLayout layout = parse_page_layout(
      "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n"
      "\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n"
      "\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n"
      "\tfield: char data;\toffset:16;\tsize:16368;\tsigned:0;\n");
  EXPECT_EQ(layout.page_size(), 16384U);
  EXPECT_EQ(layout.data_offset, 16U);
}

TEST(PageLayout, ThatCannotBeIsCorrupt) {
  EXPECT_ERROR(parse_page_layout(""), ErrorKind::corrupt, "no page that we know");
  EXPECT_ERROR(parse_page_layout("field: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n"
                                 "field: local_t commit;\toffset:60;\tsize:8;\tsigned:1;\n"
                                 "field: char data;\toffset:16;\tsize:4080;\tsigned:0;\n"),
               ErrorKind::corrupt, "no page that we know");
}

}  // namespace
}  // namespace kvmscope::probe
