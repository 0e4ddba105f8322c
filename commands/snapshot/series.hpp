// What a series of snapshots comes to, one snapshot after the other.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "commands/snapshot/reader.hpp"
#include "core/kvm/root_history.hpp"

namespace kvmscope::snapshots {

// One snapshot, as far as a series needs it.
struct Point {
  struct Vcpu {
    kvm::RootSample sample;
    bool readable = false;  // its roots were read
  };
  struct Vm {
    std::uint64_t address = 0;
    std::optional<std::uint64_t> pages, bytes, unsync;  // none: they were not counted in full
    std::map<std::uint64_t, Vcpu> vcpus = {};           // by vcpu_id
  };
  std::string file, time, host;
  std::map<std::string, Vm> vms = {};  // by key in the document
};

// Throws what read_snapshot() throws, and Error{unavailable} when there is more than there may be.
Point read_point(Source& source);

// One VM over the series.
struct VmSeries {
  std::string id;
  std::string first, last;                               // times
  std::vector<std::optional<std::uint64_t>> pages = {};  // of each snapshot; none: not there
  std::optional<std::uint64_t> bytes = {}, unsync = {};  // the last ones
  std::map<std::uint64_t, kvm::RootHistory> vcpus = {};
};

class Series {
 public:
  // In order of time. Throws Error{usage} when it is of another host than the first.
  void add(const Point& point);
  std::size_t size() const { return size_; }
  // In the order in which they were first seen.
  const std::vector<VmSeries>& vms() const { return vms_; }

 private:
  VmSeries& series_of(const std::string& id, const Point& point);

  std::size_t size_ = 0;
  std::string host_, first_file_;
  std::map<std::string, std::size_t> places_;  // by id and address
  std::vector<VmSeries> vms_;
};

// "▁▂▅█", with a blank where there is nothing: the largest value of each part, from 0 to the
// largest of all.
std::string sparkline(const std::vector<std::optional<std::uint64_t>>& values, std::size_t width);

}  // namespace kvmscope::snapshots
