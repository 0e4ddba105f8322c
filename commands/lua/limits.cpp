#include "commands/lua/limits.hpp"

#include <pthread.h>
#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <string_view>

#include "core/base/error.hpp"
#include "core/base/interrupt.hpp"

namespace kvmscope::lua {
namespace {

using namespace std::chrono_literals;

constexpr auto look_every = 200ms;
constexpr unsigned patience = 10;  // looks, before a call of Lua's library counts as endless

// Signals are for the thread that waits for them.
class NoSignals {
 public:
  NoSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  NoSignals(const NoSignals&) = delete;
  NoSignals& operator=(const NoSignals&) = delete;
  ~NoSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

[[noreturn]] void end_process() {
  constexpr std::string_view text =
      "kvmscope: the Lua program is inside a call of Lua's library that does not end: kvmscope "
      "ends, and what it had not yet written is lost\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text.data(), text.size());
  _exit(exit_status(interrupted() ? ErrorKind::interrupted : ErrorKind::limit));
}

}  // namespace

Limits::Limits(std::size_t memory, Time time) : memory_limit_(memory), time_limit_(time) {
  const NoSignals inherited;
  watchdog_ = std::jthread([this](const std::stop_token& stop) { watch(stop); });
}

void* Limits::allocate(void* limits, void* block, std::size_t old_size, std::size_t new_size) {
  auto& self = *static_cast<Limits*>(limits);
  const std::size_t before = block != nullptr ? old_size : 0;  // else it is the kind of object
  if (new_size == 0) {
    std::free(block);
    self.memory_used_ -= before;
    return nullptr;
  }
  const std::size_t rest = self.memory_used_ - before;
  if (self.memory_limit_ != 0 && new_size > before &&
      (rest >= self.memory_limit_ || new_size > self.memory_limit_ - rest))
    return nullptr;
  void* const moved = std::realloc(block, new_size);
  if (moved != nullptr) self.memory_used_ = rest + new_size;
  return moved;
}

void Limits::start() {
  started_ = Clock::now().time_since_epoch().count();
  slept_ = 0;
}

bool Limits::is_late() const {
  return time_limit_.count() != 0 &&
         Clock::now().time_since_epoch().count() - started_ - slept_ > time_limit_.count();
}

void Limits::check() {
  beats_.fetch_add(1);
  check_interrupt();
  if (is_late())
    throw_error(ErrorKind::limit,
                "the program ran for {:g} seconds, as long as it may: `--lua-seconds N` (or `set "
                "lua-seconds N`) allows more, 0 any time",
                std::chrono::duration<double>(time_limit_).count());
}

void Limits::watch(const std::stop_token& stop) {
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable_any never;
  std::uint64_t before = 0;
  unsigned looks = 0;
  while (!never.wait_for(lock, stop, look_every, [&] { return stop.stop_requested(); })) {
    const std::uint64_t now = beats_;
    const bool stuck = now == before && pauses_ == 0 && (interrupted() || is_late());
    looks = stuck ? looks + 1 : 0;
    if (looks == patience) end_process();
    before = now;
  }
}

}  // namespace kvmscope::lua
