#include "commands/snapshot/series.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "core/base/error.hpp"

namespace kvmscope::snapshots {
namespace {

constexpr std::size_t most_roots = 1'000'000;  // slots in one snapshot

class PointReader {
 public:
  explicit PointReader(Source& source) : source_(source) { point_.file = source.name(); }

  Point read() {
    read_snapshot(source_,
                  {.member =
                       [this](std::string_view name, const Scalar& value) {
                         if (name == "time") point_.time = value.text;
                         if (name == "host.name") point_.host = value.text;
                       },
                   .record =
                       [this](std::string_view vm, std::string_view section, const Fields& fields) {
                         add(point_.vms[std::string(vm)], section, fields);
                       }});
    return std::move(point_);
  }

 private:
  void add(Point::Vm& vm, std::string_view section, const Fields& fields) {
    if (section == "vm") vm.address = fields.number("kvm");
    if (section == "vcpus") vcpu(vm, fields).sample.mmu = mmu_of(fields);
    if (section == "roots") add_root(vm, fields);
    if (section == "page_counts") {
      vm.pages = fields["pages"].number();
      vm.bytes = fields["bytes"].number();
      vm.unsync = fields["unsync"].number();
    }
    if (section == "incomplete") forget(vm, fields.text("name"));
  }

  static kvm::MmuKind mmu_of(const Fields& fields) {
    return fields.text("mmu") == "guest_mmu" ? kvm::MmuKind::guest_mmu : kvm::MmuKind::root_mmu;
  }

  Point::Vcpu& vcpu(Point::Vm& vm, const Fields& fields) {
    if (++records_ > most_roots)
      throw_error(ErrorKind::unavailable, "{} has more than {} vCPUs and roots", source_.name(),
                  most_roots);
    return vm.vcpus[fields.number("vcpu")];
  }

  // The vCPUs come first and say which mmu each runs on.
  void add_root(Point::Vm& vm, const Fields& fields) {
    Point::Vcpu& vcpu = this->vcpu(vm, fields);
    const std::string& slot = fields.text("slot");
    if (vcpu.sample.mmu != mmu_of(fields) || slot.find(".pae") != std::string::npos) return;
    constexpr std::uint64_t no_root = ~0ULL;  // INVALID_PAGE
    const kvm::RootSlot root{fields["pgd"].number(), fields["hpa"].number().value_or(no_root)};
    if (slot == "current") {
      vcpu.sample.current = root;
      vcpu.readable = true;
    } else if (fields.flag("valid")) {
      vcpu.sample.previous.push_back(root);
    }
  }

  static void forget(Point::Vm& vm, std::string_view section) {
    if (section == "pages" || section == "page_counts") vm.pages = vm.bytes = vm.unsync = {};
    if (section == "roots" || section == "vcpus")
      for (auto& [id, vcpu] : vm.vcpus) vcpu.readable = false;
  }

  Source& source_;
  Point point_;
  std::size_t records_ = 0;
};

}  // namespace

Point read_point(Source& source) {
  return PointReader(source).read();
}

VmSeries& Series::series_of(const std::string& id, const Point& point) {
  const std::string key = fmt::format("{} {:x}", id, point.vms.at(id).address);
  const auto [place, is_new] = places_.emplace(key, vms_.size());
  if (is_new) vms_.push_back({.id = id, .first = point.time, .last = point.time});
  return vms_[place->second];
}

void Series::add(const Point& point) {
  if (size_ == 0) {
    host_ = point.host;
    first_file_ = point.file;
  } else if (host_ != point.host) {
    throw_error(ErrorKind::usage, "{} is of the host '{}' and {} of '{}': a series has one host",
                first_file_, host_, point.file, point.host);
  }
  // Times of a history are places in the series.
  const kvm::RootHistory::Time at(size_++);
  for (const auto& [id, vm] : point.vms) {
    VmSeries& series = series_of(id, point);
    series.last = point.time;
    series.pages.resize(size_);
    series.pages.back() = vm.pages;
    series.bytes = vm.bytes;
    series.unsync = vm.unsync;
    for (const auto& [vcpu_id, vcpu] : vm.vcpus) {
      kvm::RootHistory& history =
          series.vcpus.try_emplace(vcpu_id, kvm::RootHistory::Time(1)).first->second;
      if (vcpu.readable)
        history.add(at, vcpu.sample);
      else
        history.add_lost();
    }
  }
}

std::string sparkline(const std::vector<std::optional<std::uint64_t>>& values, std::size_t width) {
  constexpr std::array<std::string_view, 8> bars = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  if (values.empty() || width == 0) return "";
  const std::size_t group = (values.size() + width - 1) / width;
  std::uint64_t largest = 1;
  for (const auto& value : values) largest = std::max(largest, value.value_or(0));
  std::string line;
  for (std::size_t start = 0; start < values.size(); start += group) {
    std::optional<std::uint64_t> top;
    for (std::size_t i = start; i < std::min(start + group, values.size()); ++i)
      if (values[i]) top = std::max(top.value_or(0), *values[i]);
    const double part = top ? static_cast<double>(*top) / static_cast<double>(largest) : 0;
    line += top ? bars.at(static_cast<std::size_t>(std::lround(part * (bars.size() - 1)))) : " ";
  }
  return line;
}

}  // namespace kvmscope::snapshots
