// A tracefs in memory that keeps the kernel's rules: what is enabled or held open cannot go.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/probe/tracefs.hpp"

namespace kvmscope {

class FakeTracefs : public probe::Tracefs {
 public:
  explicit FakeTracefs(unsigned cpus = 2);

  // What somebody else uses, or what a killed run left.
  void add_event(const std::string& group, const std::string& event);
  void add_instance(const std::string& name);
  void add_tracepoint(const std::string& system, const std::string& name,
                      const std::string& format);
  // The kernel refuses definitions with this place.
  void refuse(const std::string& place, int failed, const std::string& message);
  // Somebody reads a file of the instance for so many attempts to remove it.
  void hold(const std::string& instance, unsigned attempts) { held_[instance] = attempts; }
  // What trace_pipe_raw of a CPU gives from now on, page by page, in the next instance.
  void put_page(unsigned cpu, std::string page) { pages_[cpu] += page; }
  void set_stats(unsigned cpu, std::string stats) { stats_[cpu] = std::move(stats); }
  void set_missed(const std::string& event, std::uint64_t missed) { missed_[event] = missed; }

  // Instances, events and enabled events: equal before and after a run.
  std::string state() const;
  const std::vector<std::string>& done() const { return done_; }
  // The number in the format file of an event.
  std::uint16_t id_of(const std::string& group, const std::string& event) const;

  const std::string& root() const override { return root_; }
  int read(const std::string& path, std::string& text) const override;
  bool exists(const std::string& path) const override;
  std::vector<std::string> folders(const std::string& path) const override;
  int write(const std::string& path, std::string_view text) override;
  int append(const std::string& path, std::string_view text) override;
  int make_folder(const std::string& path) override;
  int remove_folder(const std::string& path) override;
  FileDescriptor open_stream(const std::string& path) const override;

 private:
  struct Refusal {
    int failed = 0;
    std::string message;
  };
  int define(const std::string& line);
  int remove_event(const std::string& name);
  std::string kprobe_events() const;
  std::string kprobe_profile() const;

  std::string root_ = "/fake/tracing";
  unsigned cpus_;
  std::vector<std::string> events_;                         // lines of kprobe_events
  std::map<std::string, std::string> formats_;              // by "GROUP/EVENT"
  std::map<std::string, std::uint16_t> ids_;                // likewise
  std::map<std::string, std::set<std::string>> instances_;  // with their enabled events
  std::map<std::string, std::string> files_;                // of instances, as they were written
  std::map<std::string, Refusal> refusals_;                 // by place
  std::map<std::string, unsigned> held_;
  std::map<unsigned, std::string> pages_;
  std::map<unsigned, std::string> stats_;
  std::map<std::string, std::uint64_t> missed_;
  std::string error_log_;
  std::vector<std::string> done_;
  std::uint16_t next_id_ = 1000;
};

// A page of the ring buffer, built event by event, with the layout of a 64-bit kernel.
class TracePage {
 public:
  explicit TracePage(std::uint64_t time_ns) : time_(time_ns), last_(time_ns) {}

  // An event of `data` at that time, which is not before the last one's.
  TracePage& event(std::uint64_t time_ns, std::string_view data);
  // Words as they are: for what a kernel would not write.
  TracePage& raw(std::uint32_t word);
  TracePage& missed(std::uint64_t count);
  // The whole page, 4096 bytes; `commit`: instead of the true length.
  std::string bytes() const;
  std::string bytes_with_commit(std::uint64_t commit) const;
  std::size_t length() const { return data_.size(); }

 private:
  std::uint64_t time_;
  std::uint64_t last_;
  std::string data_;
  std::uint64_t missed_ = 0;
};

// The common fields of every event, and then numbers of 8 bytes each.
std::string event_data(std::uint16_t id, std::int32_t tid,
                       const std::vector<std::uint64_t>& values);

}  // namespace kvmscope
