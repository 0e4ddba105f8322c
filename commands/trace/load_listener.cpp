// Counts the events of `trace load`, second by second and in all.

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "commands/trace/event_view.hpp"
#include "commands/trace/histogram.hpp"
#include "commands/trace/load_parts.hpp"
#include "commands/trace/vcpu_names.hpp"

namespace kvmscope::tracing {
namespace {

constexpr std::uint64_t second = 1'000'000'000;
// INVALID_PAGE, arch/x86/include/asm/kvm_host.h: no root.
constexpr std::uint64_t no_root = ~0ULL;

// Whose counts a record holds. A VM has its number, a vCPU of it too; neither: all VMs.
struct Scope {
  std::optional<std::uint64_t> vm;
  std::optional<std::uint64_t> vcpu;
  bool unknown_vm = false;  // it has gone before anybody could say which it was
  auto key() const { return std::tuple(!vm && !unknown_vm, unknown_vm, vm, !vcpu, vcpu); }
  bool operator<(const Scope& other) const { return key() < other.key(); }
};

class LoadListener : public Listener {
 public:
  LoadListener(const kvm::Kvm& kvm, std::vector<LoadSource> sources, bool summary, RowSink& rows)
      : names_(kvm), sources_(std::move(sources)), summary_(summary), rows_(rows) {}

  void armed(const std::vector<probe::EventFormat>&, std::uint64_t start_ns) override {
    second_start_ = start_ns;
  }

  bool hit(const probe::Hit& hit) override {
    end_seconds_before(hit.time_ns);
    Vcpu& vcpu = vcpus_[{hit.values[load_kvm], hit.values[load_id], hit.values[load_vcpu]}];
    const bool has_root = hit.values[load_root] != no_root;
    const LoadSource& source = sources_[hit.probe];
    if (source.cause) return vcpu.loads.dropped(*source.cause, has_root);
    if (source.event == switch_event) return vcpu.loads.switched(has_root, hit.time_ns);
    return vcpu.loads.loaded();
  }

  void time(std::uint64_t now_ns) override {
    end_seconds_before(now_ns);
    now_ = now_ns;
    for (auto& [key, vcpu] : vcpus_) vcpu.loads.rest(now_ns - second);
  }

  void finish() override {
    // Nothing comes that could put it right: a switch has to be very young to be left out.
    for (auto& [key, vcpu] : vcpus_) vcpu.loads.rest(now_ - second / 10);
    // The last second was cut short: it has a row, but would be wrong in a histogram.
    end_second(/*whole=*/seconds_ == 0);
    std::map<Scope, Total> totals;
    for (const auto& [key, vcpu] : vcpus_) {
      const Scope scope = scope_of(key);
      for (const Scope& one : {scope, Scope{scope.vm, {}, scope.unknown_vm}, Scope{}})
        totals[one].add(vcpu.loads.total(), vcpu.seconds, seconds_);
    }
    for (const auto& [scope, total] : totals) show(scope, total);
  }

 private:
  struct Key {
    std::uint64_t kvm, id, vcpu;
    auto operator<=>(const Key&) const = default;
  };
  struct Vcpu {
    VcpuLoads loads;
    std::vector<std::uint64_t> seconds;  // loads of each second; shorter: none since
  };
  struct Total {
    LoadCounts counts;
    std::vector<std::uint64_t> seconds;

    void add(const LoadCounts& more, const std::vector<std::uint64_t>& loads, std::size_t length) {
      counts += more;
      seconds.resize(length);
      for (std::size_t i = 0; i < std::min(length, loads.size()); ++i) seconds[i] += loads[i];
    }
  };

  // All events of a second have been given when one of a later second comes.
  void end_seconds_before(std::uint64_t now_ns) {
    while (now_ns >= second_start_ + second) end_second(/*whole=*/true);
  }

  void end_second(bool whole) {
    names_.refresh();
    for (auto& [key, vcpu] : vcpus_) {
      const LoadCounts counts = vcpu.loads.take();
      if (whole) {
        vcpu.seconds.resize(seconds_);
        vcpu.seconds.push_back(static_cast<std::uint64_t>(counts.loads));
      }
      if (!summary_ && counts != LoadCounts()) show_second(scope_of(key), counts);
    }
    if (whole) ++seconds_;
    second_start_ += second;
  }

  Scope scope_of(const Key& key) {
    const std::optional<std::uint64_t> vm = names_.vm(key.kvm);
    return {.vm = vm, .vcpu = key.id, .unknown_vm = !vm};
  }

  Record record(std::string_view kind, const Scope& scope) const {
    Record record;
    record.values = {std::string(kind), clock_.utc(second_start_), number_or_null(scope.vm),
                     number_or_null(scope.vcpu)};
    return record;
  }

  static void add_counts(Record& record, const LoadCounts& counts) {
    for (const std::int64_t count : {counts.switches, counts.hits, counts.misses, counts.loads})
      record.values.emplace_back(static_cast<std::uint64_t>(count));
    for (const std::int64_t count : counts.causes)
      record.values.emplace_back(static_cast<std::uint64_t>(count));
  }

  void show_second(const Scope& scope, const LoadCounts& counts) {
    Record row = record("second", scope);
    add_counts(row, counts);
    row.values.resize(columns_);
    rows_.add(std::move(row));
  }

  void show(const Scope& scope, const Total& total) {
    const auto length = std::uint64_t{total.seconds.size()};
    Record row = record("total", scope);
    row.values[1] = Value{};
    Record bucket_row = row;
    bucket_row.values[0] = std::string("bucket");
    add_counts(row, total.counts);
    row.values.resize(columns_ - 1);
    row.values.emplace_back(length);
    rows_.add(std::move(row));
    for (const Bucket& bucket : histogram(total.seconds)) {
      Record one = bucket_row;
      one.values.resize(columns_ - 4);
      for (const std::uint64_t value : {bucket.low, bucket.high, bucket.count, length})
        one.values.emplace_back(value);
      rows_.add(std::move(one));
    }
  }

  VcpuNames names_;
  std::vector<LoadSource> sources_;
  bool summary_;
  RowSink& rows_;
  const Clock clock_;
  const std::size_t columns_ = load_columns().size();
  std::map<Key, Vcpu> vcpus_;
  std::uint64_t second_start_ = 0;
  std::uint64_t now_ = second;
  std::size_t seconds_ = 0;  // whole ones
};

}  // namespace

std::unique_ptr<Listener> load_listener(const kvm::Kvm& kvm, std::vector<LoadSource> sources,
                                        bool summary, RowSink& rows) {
  return std::make_unique<LoadListener>(kvm, std::move(sources), summary, rows);
}

}  // namespace kvmscope::tracing
