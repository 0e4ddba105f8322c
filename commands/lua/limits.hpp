// What a Lua program may use: memory, time, and the user's patience after Ctrl-C.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <thread>

namespace kvmscope::lua {

class Limits {
 public:
  using Time = std::chrono::nanoseconds;

  // 0: no limit.
  Limits(std::size_t memory, Time time);
  Limits(const Limits&) = delete;
  Limits& operator=(const Limits&) = delete;

  // A lua_Alloc; `limits` is this object. What would be too much is refused.
  static void* allocate(void* limits, void* block, std::size_t old_size, std::size_t new_size);
  std::size_t memory() const { return memory_limit_; }
  Time time() const { return time_limit_; }

  // The program's time counts from now on.
  void start();
  // What was slept is not counted.
  void add_slept(Time time) { slept_ += time.count(); }
  // Called every few thousand instructions. Throws Error{interrupted}, Error{limit}.
  void check();

  // While it lives, code runs that looks at Ctrl-C itself, or no program runs. Otherwise Lua does:
  // where that stays inside one call of its library (a pattern that never ends) beyond a limit, a
  // thread ends the whole process.
  class Pause {
   public:
    explicit Pause(Limits& limits) : limits_(limits) { limits_.pauses_.fetch_add(1); }
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;
    ~Pause() {
      limits_.beats_.fetch_add(1);
      limits_.pauses_.fetch_sub(1);
    }

   private:
    Limits& limits_;
  };
  // The opposite, around the program.
  class Run {
   public:
    explicit Run(Limits& limits) : limits_(limits) {
      limits_.start();
      limits_.pauses_.fetch_sub(1);
    }
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;
    ~Run() { limits_.pauses_.fetch_add(1); }

   private:
    Limits& limits_;
  };

 private:
  using Clock = std::chrono::steady_clock;

  bool is_late() const;
  void watch(const std::stop_token& stop);

  std::size_t memory_limit_;
  std::size_t memory_used_ = 0;
  Time time_limit_;
  std::atomic<Time::rep> started_ = 0;
  std::atomic<Time::rep> slept_ = 0;
  std::atomic<std::uint64_t> beats_ = 0;
  std::atomic<int> pauses_ = 1;
  std::jthread watchdog_;  // the last: it uses the others
};

}  // namespace kvmscope::lua
