// The events of an instance, read from every CPU's ring buffer and put in order of time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/file.hpp"
#include "core/probe/event_format.hpp"
#include "core/probe/probe.hpp"
#include "core/probe/ring_buffer.hpp"

namespace kvmscope::probe {

// Turns an event's bytes into a Hit.
class HitDecoder {
 public:
  // The number of the hits is their place in this order: probes have the values of their args,
  // in that order; an event that has no probe (a tracepoint) those of every field that is a number.
  // Throws Error{corrupt} when a format lacks an arg.
  void add_probe(const EventFormat& format, const Probe& probe);
  void add_tracepoint(const EventFormat& format);

  // none: an event that was not added, or one that is shorter than its format.
  std::optional<Hit> decode(const RawEvent& event, unsigned cpu) const;

 private:
  struct Value {
    EventField field;
    bool is_signed = false;
  };
  struct Known {
    std::size_t number = 0;
    EventField pid;
    std::vector<Value> values;
  };
  void add(const EventFormat& format, std::vector<Value> values);

  std::optional<EventField> type_;  // common_type: the same in every event
  std::map<std::uint16_t, Known> known_;
  std::size_t next_number_ = 0;
};

class EventStream {
 public:
  struct Cpu {
    unsigned number = 0;
    FileDescriptor pages;  // per_cpu/cpuN/trace_pipe_raw, non-blocking
  };
  // What was read so far.
  struct Counts {
    std::uint64_t events = 0;
    std::uint64_t pages = 0;
    std::uint64_t missed = 0;       // overwritten, as far as pages say how many
    std::uint64_t undecodable = 0;  // read, and made no sense
    std::string damage;             // of the first page that was damaged
  };

  EventStream(const PageLayout& layout, HitDecoder decoder, std::vector<Cpu> cpus);

  struct Round {
    std::size_t pages = 0;
    // A CPU has more than was read: its later events may be older than others' that were.
    // UINT64_MAX: no CPU has.
    std::uint64_t complete_until_ns = UINT64_MAX;
  };
  // Reads what is there now, at most `most_pages` a CPU. Throws Error{unavailable} when a buffer
  // cannot be read.
  Round read(std::size_t most_pages);
  // Takes the hits that are older than `time_ns`, in order of time.
  std::vector<Hit> take_before(std::uint64_t time_ns);
  // No more is read; what was read stays.
  void close() { cpus_.clear(); }
  const Counts& counts() const { return counts_; }

 private:
  bool read_page_of(const Cpu& cpu, std::uint64_t& last_time_ns);

  PageLayout layout_;
  HitDecoder decoder_;
  std::vector<Cpu> cpus_;
  std::vector<std::byte> page_;
  std::vector<RawEvent> events_;  // of the page that was read last
  std::vector<Hit> waiting_;
  Counts counts_;
};

}  // namespace kvmscope::probe
