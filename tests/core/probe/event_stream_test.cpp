// The buffers of several CPUs as one stream of hits.

#include "core/probe/event_stream.hpp"

#include <gtest/gtest.h>

#include "tests/core/base/expect_error.hpp"
#include "tests/support/fake_tracefs.hpp"

namespace kvmscope::probe {
namespace {

const Probe load{.event = "load", .place = "x", .args = {{.field = "id"}, {.field = "kvm"}}};

// A kernel with that probe, and pages that it recorded.
struct Recorded {
  FakeTracefs tracefs;
  std::uint16_t id;

  Recorded() {
    if (tracefs.append("kprobe_events", "p:g/load x id=1 kvm=2") != 0) throw 1;
    id = tracefs.id_of("g", "load");
  }
  EventFormat format() const { return parse_event_format(tracefs.text("events/g/load/format")); }
  EventStream stream() const {
    HitDecoder decoder;
    decoder.add_probe(format(), load);
    std::vector<EventStream::Cpu> cpus;
    for (unsigned cpu : {0U, 1U})
      cpus.push_back({cpu, tracefs.open_stream(fmt::format("cpu{}/trace_pipe_raw", cpu))});
    return {PageLayout(), std::move(decoder), std::move(cpus)};
  }
};

std::vector<std::uint64_t> first_values(const std::vector<Hit>& hits) {
  std::vector<std::uint64_t> values;
  for (const Hit& hit : hits) values.push_back(hit.values.at(0));
  return values;
}

using Numbers = std::vector<std::uint64_t>;

TEST(EventStreams, MergeTheCpusByTime) {
  Recorded recorded;
  const auto data = [&](std::uint64_t value) {
    return event_data(recorded.id, 77, {value, 0xffff0000});
  };
  recorded.tracefs.put_page(0, TracePage(10).event(10, data(1)).event(30, data(3)).bytes());
  recorded.tracefs.put_page(1, TracePage(20).event(20, data(2)).bytes());
  recorded.tracefs.put_page(1, TracePage(40).event(40, data(4)).bytes());
  EventStream stream = recorded.stream();
  EXPECT_EQ(stream.read(100).pages, 3U);
  EXPECT_EQ(first_values(stream.take_before(30)), (Numbers{1, 2}));
  const std::vector<Hit> rest = stream.take_before(UINT64_MAX);
  EXPECT_EQ(first_values(rest), (Numbers{3, 4}));
  EXPECT_EQ(rest[0].cpu, 0U);
  EXPECT_EQ(rest[1].cpu, 1U);
  EXPECT_EQ(rest[0].tid, 77);
  EXPECT_EQ(rest[0].time_ns, 30U);
  EXPECT_EQ(rest[0].values[1], 0xffff0000U);
  EXPECT_EQ(stream.counts().events, 4U);
  EXPECT_EQ(stream.read(100).pages, 0U);
}

TEST(EventStreams, ReadOnlySoManyPagesOfACpu) {
  Recorded recorded;
  for (std::uint64_t i = 0; i < 5; ++i)
    recorded.tracefs.put_page(0, TracePage(i).event(i, event_data(recorded.id, 1, {i, 0})).bytes());
  recorded.tracefs.put_page(1, TracePage(9).event(9, event_data(recorded.id, 1, {9, 0})).bytes());
  EventStream stream = recorded.stream();
  const EventStream::Round first = stream.read(2);
  EXPECT_EQ(first.pages, 3U);
  EXPECT_EQ(first.complete_until_ns, 1U) << "what comes next may be older than CPU 1's event";
  EXPECT_EQ(stream.read(2).complete_until_ns, 3U);
  EXPECT_EQ(first_values(stream.take_before(UINT64_MAX)), (Numbers{0, 1, 2, 3, 9}));
  EXPECT_EQ(stream.read(2).complete_until_ns, UINT64_MAX);
}

TEST(EventStreams, CountWhatWasLostAndWhatMakesNoSense) {
  Recorded recorded;
  recorded.tracefs.put_page(0, TracePage(1)
                                   .event(1, event_data(recorded.id, 1, {5}))  // one value short
                                   .event(2, event_data(9, 1, {5, 6}))         // not ours
                                   .event(3, event_data(recorded.id, 1, {7, 8}))
                                   .missed(12)
                                   .bytes());
  recorded.tracefs.put_page(1, TracePage(1).raw(0).raw(0xffffff).bytes());
  EventStream stream = recorded.stream();
  stream.read(10);
  EXPECT_EQ(first_values(stream.take_before(UINT64_MAX)), Numbers{7});
  EXPECT_EQ(stream.counts().missed, 12U);
  EXPECT_EQ(stream.counts().undecodable, 3U) << "and the one that is longer than its page";
  EXPECT_EQ(stream.counts().damage,
            "a trace page of CPU 1 is damaged: an event in it is longer than the page");
}

TEST(HitDecoders, ExtendTheSignThatAnArgumentHas) {
  HitDecoder decoder;
  EventFormat format;
  format.id = 3;
  format.common = {{"common_type", "unsigned short", 0, 2, false},
                   {"common_pid", "int", 4, 4, true}};
  format.fields = {{"ret", "u32", 8, 4, false}};
  decoder.add_probe(format,
                    {.event = "e", .place = "p", .args = {{.field = "ret", .is_signed = true}}});
  std::string data = event_data(3, -1, {0xfffffffe});
  const std::optional<Hit> hit =
      decoder.decode({1, std::as_bytes(std::span(data.data(), data.size()))}, 0);
  ASSERT_TRUE(hit);
  EXPECT_EQ(hit->values, Numbers{static_cast<std::uint64_t>(-2)});
}

TEST(HitDecoders, RefuseAFormatWithoutTheArgument) {
  HitDecoder decoder;
  const Probe other{.event = "load", .place = "x", .args = {{.field = "gone"}}};
  EXPECT_ERROR(decoder.add_probe(Recorded().format(), other), ErrorKind::corrupt,
               "the kernel's format of event load has no number gone");
}

TEST(HitDecoders, GiveATracepointsNumbers) {
  FakeTracefs tracefs;
  tracefs.add_tracepoint("kvmmmu", "kvm_mmu_get_page",
                         "\tfield:u64 gfn;\toffset:8;\tsize:8;\tsigned:0;\n"
                         "\tfield:char name[8];\toffset:16;\tsize:8;\tsigned:0;\n"
                         "\tfield:u64 role;\toffset:24;\tsize:8;\tsigned:0;\n");
  HitDecoder decoder;
  decoder.add_tracepoint(parse_event_format(tracefs.text("events/kvmmmu/kvm_mmu_get_page/format")));
  const std::string data = event_data(tracefs.id_of("kvmmmu", "kvm_mmu_get_page"), 5, {1, 2, 3});
  const std::optional<Hit> hit =
      decoder.decode({1, std::as_bytes(std::span(data.data(), data.size()))}, 0);
  ASSERT_TRUE(hit);
  EXPECT_EQ(hit->values, (Numbers{1, 3}));
}

}  // namespace
}  // namespace kvmscope::probe
