#include "commands/trace/event_loop.hpp"

#include <algorithm>
#include <ctime>

#include "core/base/interrupt.hpp"

namespace kvmscope::tracing {
namespace {

constexpr std::uint64_t second = 1'000'000'000;  // nanoseconds, as all times here
constexpr std::uint64_t quiet_pause = second / 20;
// A default buffer holds some 350 pages a CPU.
constexpr std::uint64_t busy_pause = second / 200;
constexpr std::size_t busy_pages = 16;
// Of each CPU, before what was read is given on.
constexpr std::size_t pages_per_read = 32;

}  // namespace

std::uint64_t EventLoop::end() const {
  return start_ + options_.duration->count() * second;
}

void EventLoop::run() {
  while (reason_.empty() && !interrupted()) {
    pause();
    if (interrupted()) return;
    const std::uint64_t round_start = Clock::now_ns();
    const probe::EventStream::Round round = stream_.read(pages_per_read);
    pages_ = round.pages;
    is_behind_ = round.complete_until_ns != UINT64_MAX;
    // An event is there a moment after its time: what is older than the round before this one
    // has been read on every CPU.
    deliver(std::min(last_round_, round.complete_until_ns));
    last_round_ = round_start;
    const std::uint64_t now = Clock::now_ns();
    flush(now);
    check_limits(now);
  }
}

void EventLoop::collect() {
  while (!reached_count() && stream_.read(pages_per_read).pages != 0) continue;
  stream_.close();
}

std::uint64_t EventLoop::finish(std::uint64_t end_ns) {
  deliver(UINT64_MAX);
  listener_.time(end_ns);
  return reached_count() ? 0 : hits_.size();
}

std::string_view EventLoop::reason() const {
  if (!reason_.empty()) return reason_;
  return TerminationInterrupts::came() ? "terminated" : "interrupted";
}

void EventLoop::pause() const {
  if (is_behind_) return;
  std::uint64_t left = pages_ > busy_pages ? busy_pause : quiet_pause;
  const std::uint64_t now = Clock::now_ns();
  if (options_.duration) left = std::min(left, now < end() ? end() - now : 0);
  // A signal ends this early.
  const struct timespec time = {0, static_cast<long>(left)};
  nanosleep(&time, nullptr);
}

void EventLoop::deliver(std::uint64_t before) {
  for (probe::Hit& hit : stream_.take_before(before)) hits_.push_back(std::move(hit));
  while (!hits_.empty() && !reached_count() && !interrupted()) {
    // Not given twice if this is interrupted.
    const probe::Hit hit = std::move(hits_.front());
    hits_.pop_front();
    if (listener_.hit(hit)) ++counted_;
  }
  if (hits_.empty() && before != UINT64_MAX) listener_.time(before);
  if (reached_count()) reason_ = "count";
}

void EventLoop::flush(std::uint64_t now) {
  if (now < next_flush_) return;
  next_flush_ = now + second / 2;
  rows_.flush();
}

void EventLoop::check_limits(std::uint64_t now) {
  const probe::EventStream::Counts& counts = stream_.counts();
  const std::uint64_t events = counts.events + counts.missed;
  const std::uint64_t elapsed = std::max(now - window_start_, second);
  const auto rate = static_cast<double>(events - window_events_) * second / elapsed;
  if (rate > static_cast<double>(options_.max_rate)) reason_ = "max-rate";
  if (elapsed > second) {
    window_start_ = now;
    window_events_ = events;
  }
  if (options_.duration && now >= end()) reason_ = "for";
}

}  // namespace kvmscope::tracing
