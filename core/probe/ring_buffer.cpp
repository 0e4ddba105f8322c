#include "core/probe/ring_buffer.hpp"

#include <algorithm>
#include <optional>

#include "core/base/error.hpp"
#include "core/probe/event_format.hpp"

namespace kvmscope::probe {
namespace {

// enum ring_buffer_type: values of type_len that are no length.
constexpr unsigned padding = 29;
constexpr unsigned time_extend = 30;
constexpr unsigned time_stamp = 31;

// One 32-bit word in front of each event: 5 bits of type or length, 27 bits of time.
constexpr std::size_t header_size = 4;
constexpr unsigned type_bits = 5;
constexpr unsigned time_bits = 27;
// An absolute time stamp has no room for the highest bits; the page's own has.
constexpr unsigned stamp_bits = time_bits + 32;

// Flags in the commit word of a page that was read, kernel/trace/ring_buffer.c.
constexpr std::uint64_t missed_events = 1ULL << 31;
constexpr std::uint64_t missed_stored = 1ULL << 30;
constexpr std::size_t most_page_bytes = 1U << 22;

class Page {
 public:
  Page(Bytes data, std::uint64_t time, std::vector<RawEvent>& events)
      : data_(data), time_(time), page_time_(time), events_(events) {}

  // Returns what is wrong with the page; empty: nothing.
  std::string read() {
    while (at_ < data_.size()) {
      if (data_.size() - at_ < header_size) return "it ends inside an event's header";
      const auto header = load<std::uint32_t>(data_, at_);
      const std::uint64_t delta = header >> type_bits;
      const auto type = static_cast<unsigned>(header & low_bits(type_bits));
      // Nothing follows.
      if (type == padding && delta == 0) return "";
      const std::optional<std::uint32_t> word = has_word(type) ? word_at(header_size) : 0;
      if (!word) return "it ends inside an event's header";
      if (!step(type, delta, *word)) return "an event in it is longer than the page";
    }
    return "";
  }

 private:
  static bool has_word(unsigned type) { return type == 0 || type >= padding; }

  std::optional<std::uint32_t> word_at(std::size_t offset) const {
    if (data_.size() - at_ < offset + sizeof(std::uint32_t)) return std::nullopt;
    return load<std::uint32_t>(data_, at_ + offset);
  }

  bool step(unsigned type, std::uint64_t delta, std::uint32_t word) {
    switch (type) {
      case time_extend: time_ += delta + (std::uint64_t{word} << time_bits); return skip(4);
      case time_stamp:
        time_ = (page_time_ & ~low_bits(stamp_bits)) | (std::uint64_t{word} << time_bits) | delta;
        return skip(4);
      // An event that was discarded: its time counts, since the next one's is relative to it.
      case padding: time_ += delta; return skip(word);
      case 0: {  // The word is the length, itself included.
        time_ += delta;
        constexpr std::size_t own = sizeof word;
        return word >= own && take(header_size + own, word - own);
      }
      default: time_ += delta; return take(header_size, std::size_t{type} * 4);
    }
  }

  bool skip(std::size_t length) {
    if (length > data_.size() - at_ - header_size) return false;
    at_ += header_size + length;
    return true;
  }

  bool take(std::size_t before, std::size_t length) {
    if (length > data_.size() - at_ - before) return false;
    events_.push_back({time_, data_.subspan(at_ + before, length)});
    at_ += before + align_up(length, 4);
    return true;
  }

  Bytes data_;
  std::uint64_t time_;
  std::uint64_t page_time_;
  std::vector<RawEvent>& events_;
  std::size_t at_ = 0;
};

}  // namespace

PageLayout parse_page_layout(std::string_view header_page) {
  PageLayout layout;
  const auto fail = [] {
    throw Error(ErrorKind::corrupt, "events/header_page of tracefs describes no page that we know");
  };
  bool has_time = false;
  bool has_commit = false;
  bool has_data = false;
  for (const EventField& field : parse_fields(header_page)) {
    if (field.name == "timestamp" && field.size == 8) {
      layout.time_offset = field.offset;
      has_time = true;
    } else if (field.name == "commit" && (field.size == 4 || field.size == 8)) {
      layout.commit_offset = field.offset;
      layout.commit_size = field.size;
      has_commit = true;
    } else if (field.name == "data") {
      layout.data_offset = field.offset;
      layout.data_size = field.size;
      has_data = true;
    }
  }
  if (!has_time || !has_commit || !has_data || layout.page_size() > most_page_bytes ||
      layout.time_offset + 8 > layout.data_offset ||
      layout.commit_offset + layout.commit_size > layout.data_offset)
    fail();
  return layout;
}

PageReport read_page(const PageLayout& layout, Bytes page, std::vector<RawEvent>& events) {
  PageReport report;
  if (page.size() < layout.data_offset) {
    report.damage = "it is shorter than a page's header";
    return report;
  }
  const std::uint64_t commit =
      load_unsigned(page.subspan(layout.commit_offset, layout.commit_size)) & low_bits(32);
  const Bytes data = page.subspan(layout.data_offset);
  const std::uint64_t length = commit & ~(missed_events | missed_stored);
  report.missed = (commit & missed_events) != 0;
  if (length > data.size()) {
    report.damage = "it says that it holds more than fits into it";
    return report;
  }
  if ((commit & missed_stored) != 0 && data.size() - length >= sizeof(std::uint64_t))
    report.missed_count = load<std::uint64_t>(data, length);
  report.damage =
      Page(data.first(length), load<std::uint64_t>(page, layout.time_offset), events).read();
  return report;
}

}  // namespace kvmscope::probe
