#include "core/probe/event_stream.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/base/error.hpp"

namespace kvmscope::probe {

void HitDecoder::add(const EventFormat& format, std::vector<Value> values) {
  const EventField* type = format.find("common_type");
  const EventField* pid = format.find("common_pid");
  if (type == nullptr || pid == nullptr)
    throw_error(ErrorKind::corrupt, "the format of event {} lacks common_type or common_pid",
                format.name);
  type_ = *type;
  known_.insert_or_assign(format.id, Known{next_number_++, *pid, std::move(values)});
}

void HitDecoder::add_probe(const EventFormat& format, const Probe& probe) {
  std::vector<Value> values;
  for (const FetchArg& arg : probe.args) {
    const EventField* field = format.find(arg.field);
    if (field == nullptr || !field->is_number())
      throw_error(ErrorKind::corrupt, "the kernel's format of event {} has no number {}",
                  probe.event, arg.field);
    values.push_back({*field, arg.is_signed});
  }
  add(format, std::move(values));
}

void HitDecoder::add_tracepoint(const EventFormat& format) {
  std::vector<Value> values;
  for (const EventField& field : format.fields)
    if (field.is_number()) values.push_back({field, field.is_signed});
  add(format, std::move(values));
}

std::optional<Hit> HitDecoder::decode(const RawEvent& event, unsigned cpu) const {
  if (!type_) return std::nullopt;
  const std::optional<std::uint64_t> id = read_field(*type_, event.data);
  const auto found = id ? known_.find(static_cast<std::uint16_t>(*id)) : known_.end();
  if (found == known_.end()) return std::nullopt;
  const Known& known = found->second;
  const std::optional<std::uint64_t> pid = read_field(known.pid, event.data);
  if (!pid) return std::nullopt;
  Hit hit{.probe = known.number,
          .time_ns = event.time_ns,
          .cpu = cpu,
          .tid = static_cast<std::int32_t>(*pid)};
  hit.values.reserve(known.values.size());
  for (const Value& value : known.values) {
    std::optional<std::uint64_t> number = read_field(value.field, event.data);
    if (!number) return std::nullopt;
    if (value.is_signed)
      number = static_cast<std::uint64_t>(
          sign_extend(*number, static_cast<unsigned>(8 * value.field.size)));
    hit.values.push_back(*number);
  }
  return hit;
}

EventStream::EventStream(const PageLayout& layout, HitDecoder decoder, std::vector<Cpu> cpus)
    : layout_(layout),
      decoder_(std::move(decoder)),
      cpus_(std::move(cpus)),
      page_(layout.page_size()) {}

EventStream::Round EventStream::read(std::size_t most_pages) {
  Round round;
  for (const Cpu& cpu : cpus_) {
    std::uint64_t last_time = 0;
    std::size_t pages = 0;
    while (pages < most_pages && read_page_of(cpu, last_time)) ++pages;
    round.pages += pages;
    if (pages == most_pages) round.complete_until_ns = std::min(round.complete_until_ns, last_time);
  }
  counts_.pages += round.pages;
  return round;
}

// Returns whether there was a page.
bool EventStream::read_page_of(const Cpu& cpu, std::uint64_t& last_time_ns) {
  const ssize_t size = ::read(cpu.pages.get(), page_.data(), page_.size());
  if (size == 0 || (size < 0 && errno == EAGAIN)) return false;
  if (size < 0 && errno == EINTR) return true;
  if (size < 0)
    throw_error(ErrorKind::unavailable, "cannot read the trace buffer of CPU {}: {}", cpu.number,
                std::strerror(errno));
  events_.clear();
  const PageReport report =
      read_page(layout_, Bytes(page_).first(static_cast<std::size_t>(size)), events_);
  if (!events_.empty()) last_time_ns = events_.back().time_ns;
  counts_.missed += report.missed_count;
  // At least the event that does not fit; how many would have followed nobody knows.
  if (!report.damage.empty()) ++counts_.undecodable;
  if (!report.damage.empty() && counts_.damage.empty())
    counts_.damage =
        fmt::format("a trace page of CPU {} is damaged: {}", cpu.number, report.damage);
  for (const RawEvent& event : events_) {
    std::optional<Hit> hit = decoder_.decode(event, cpu.number);
    ++(hit ? counts_.events : counts_.undecodable);
    if (hit) waiting_.push_back(std::move(*hit));
  }
  return true;
}

std::vector<Hit> EventStream::take_before(std::uint64_t time_ns) {
  const auto older = [&](const Hit& hit) { return hit.time_ns < time_ns; };
  const auto rest = std::stable_partition(waiting_.begin(), waiting_.end(), older);
  std::vector<Hit> hits(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(rest));
  waiting_.erase(waiting_.begin(), rest);
  std::stable_sort(hits.begin(), hits.end(),
                   [](const Hit& a, const Hit& b) { return a.time_ns < b.time_ns; });
  return hits;
}

}  // namespace kvmscope::probe
