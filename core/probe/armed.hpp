// Probes and tracepoints armed in a tracefs instance of our own, gone when this goes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/probe/event_stream.hpp"
#include "core/probe/probe.hpp"
#include "core/probe/tracefs.hpp"

namespace kvmscope::probe {

class Armed {
 public:
  // Makes the instance and the events, and records nothing yet. Keeps a reference to `tracefs`.
  // `tracepoints`: "kvmmmu/kvm_mmu_get_page". `filter`: which hits of the probes are recorded;
  // empty: all. Throws Error{unavailable} with the kernel's reason, and leaves nothing behind.
  Armed(Tracefs& tracefs, std::string name, std::vector<Probe> probes,
        std::vector<std::string> tracepoints, std::string filter = {});
  Armed(const Armed&) = delete;
  Armed& operator=(const Armed&) = delete;
  // Removes what remove() has not.
  ~Armed();

  // Of each probe, then of each tracepoint.
  const std::vector<EventFormat>& formats() const { return formats_; }

  // All events begin, and end, at one moment.
  void start();
  void stop();
  // Throws Error{unavailable}.
  EventStream open_stream() const;

  // What the kernel did not record since start(): buffers that ran over, probes that were hit
  // while another was being handled.
  struct Losses {
    std::uint64_t overwritten = 0;
    std::uint64_t missed = 0;
  };
  Losses losses() const;

  // Returns what could not be removed, and why. The stream must be closed.
  std::vector<std::string> remove();

 private:
  void make_instance();
  void make_events();
  void enable();
  void put(const std::string& path, std::string_view text);
  std::string instance(std::string_view path) const;
  std::uint64_t missed_hits() const;

  Tracefs& tracefs_;
  std::string name_;
  std::vector<Probe> probes_;
  std::vector<std::string> tracepoints_;
  std::string filter_;
  std::vector<EventFormat> formats_;
  bool made_ = false;
};

// The same lines, for somebody who wants to read them first.
std::vector<std::string> armed_lines(const std::string& name, const std::vector<Probe>& probes,
                                     const std::vector<std::string>& tracepoints);

}  // namespace kvmscope::probe
