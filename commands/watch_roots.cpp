// watch roots --hz N: how the roots of each vCPU change, by sampling.

#include <algorithm>
#include <map>

#include "commands/output/terminal.hpp"
#include "commands/sampled_roots.hpp"
#include "commands/shell/collect.hpp"
#include "commands/shell/session.hpp"
#include "commands/targets.hpp"
#include "commands/watch.hpp"
#include "core/base/interrupt.hpp"

namespace kvmscope {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

constexpr std::uint64_t most_hz = 10'000;
constexpr std::size_t timeline_in_records = 100;  // characters
constexpr std::size_t indent = 12;                // of the timeline on a terminal
// How often it is checked that the VMs are still there: a check is a read for each.
constexpr nanoseconds check_every = 10s;
constexpr nanoseconds suspicion_every = 1s;

class Sampling {
 public:
  Sampling(Session& session, RowSink& rows, nanoseconds period, std::optional<nanoseconds> duration)
      : session_(session),
        rows_(rows),
        kvm_(session.kvm()),
        sampler_(kvm_),
        ticks_(period, duration),
        period_(period) {}

  void add_targets(const Arguments& args) {
    const std::optional<std::string> wanted = args.text("VM");
    std::optional<std::vector<kvm::VcpuPlace>> places =
        if_readable([&] { return kvm::find_vcpu_places(kvm_); }).value_or(std::nullopt);
    if (!places) places = places_one_by_one(args);
    if (wanted) keep_only(*wanted, *places);
    for (const kvm::VcpuPlace& place : *places)
      targets_.push_back({place, kvm::RootHistory(period_)});
    if (targets_.empty() && rows_.status() == 0) rows_.note("there is no vCPU to sample");
  }

  void run() {
    rows_.ignore_interrupts(true);
    const bool stopped = interrupted_in([&] {
      while (!all_ended() && ticks_.wait()) sample();
    });
    if (stopped) clear_interrupted();
    check_vms();
  }

  void report() {
    const std::size_t columns = terminal_size().columns;
    const std::size_t width = session_.console().terminal
                                  ? std::max(columns, 2 * indent) - indent - 1
                                  : timeline_in_records;
    // Each record gets the truth that its samples tell; what was read before they were is no part
    // of it.
    rows_.set_live([] { return std::string(); });
    for (const Sampled& target : targets_)
      rows_.add_checked(sampled_record(target, period_, ticks_.left_out(), width), std::nullopt,
                        what_is_torn(target));
    const auto period = std::chrono::duration_cast<std::chrono::microseconds>(period_);
    rows_.note(fmt::format(
        "stays shorter than {}, the time from one sample to the next, are not seen; KNOWN and NEW "
        "compare a sample with prev_roots in the one before it, and say nothing of what came "
        "between",
        time_text(static_cast<std::uint64_t>(period.count()))));
  }

 private:
  bool all_ended() const {
    return std::all_of(targets_.begin(), targets_.end(),
                       [](const Sampled& target) { return !target.ended.empty(); });
  }

  // By its number without another read, if it has a vCPU.
  void keep_only(const std::string& wanted, std::vector<kvm::VcpuPlace>& places) {
    const auto is_wanted = [&](const kvm::VcpuPlace& place) {
      return fmt::format("{}", place.vm) == wanted;
    };
    if (std::any_of(places.begin(), places.end(), is_wanted)) {
      std::erase_if(places, [&](const kvm::VcpuPlace& place) { return !is_wanted(place); });
      return;
    }
    const VirtAddr vm = find_vm(kvm_, wanted, rows_).address;
    std::erase_if(places, [&](const kvm::VcpuPlace& place) { return place.vm_address != vm; });
  }

  // Notes what cannot be read.
  std::vector<kvm::VcpuPlace> places_one_by_one(const Arguments& args) {
    std::vector<kvm::VcpuPlace> places;
    for (const kvm::Vm& vm : selected_vms(kvm_, args, rows_))
      each_vcpu(kvm_, vm, rows_, [&](const kvm::Vcpu& vcpu) {
        places.push_back({vm.index, vm.address, vcpu.address});
      });
    return places;
  }

  void sample() {
    for (Sampled& target : targets_) {
      if (!target.ended.empty()) continue;
      std::optional<kvm::RootSample> sample;
      const std::optional<Error> lost =
          lost_in([&] { sample = sampler_.sample(target.place.vm_address, target.place.address); });
      if (sample) {
        target.vcpu_id = sample->vcpu_id;
        target.history.add(ticks_.time(), *sample);
      } else {
        target.history.add_lost();
      }
      if (lost) suspicious_ = true;
    }
    if (ticks_.time() - checked_ >= (suspicious_ ? suspicion_every : check_every)) check_vms();
    session_.progress(
        fmt::format("sampled for {:.0f} s", std::chrono::duration<double>(ticks_.time()).count()));
  }

  // Freed memory may keep what was in it for long: the list of VMs says who is alive.
  void check_vms() {
    checked_ = ticks_.time();
    suspicious_ = false;
    std::map<VirtAddr, bool> alive;
    for (Sampled& target : targets_) {
      if (!target.ended.empty()) continue;
      const VirtAddr vm = target.place.vm_address;
      if (!alive.contains(vm)) alive[vm] = is_alive(vm);
      if (alive[vm]) continue;
      target.ended = fmt::format("its VM went away within {:.1f} s",
                                 std::chrono::duration<double>(ticks_.time()).count());
    }
  }

  // Whether the VM's link in vm_list is still one; list_del() leaves poison (linux/poison.h).
  bool is_alive(VirtAddr vm) const {
    constexpr std::uint64_t kernel_space = 1ULL << 63;
    constexpr std::uint64_t poison = 0xdead;
    const std::optional<std::uint64_t> next =
        if_readable([&] { return kvm_.memory().u64(vm + kvm_.layout().vm().vm_list.offset); });
    return next && (*next & kernel_space) != 0 && *next >> 48 != poison;
  }

  Session& session_;
  RowSink& rows_;
  const kvm::Kvm& kvm_;
  kvm::RootSampler sampler_;
  Ticks ticks_;
  nanoseconds period_;
  std::vector<Sampled> targets_;
  nanoseconds checked_{};
  bool suspicious_ = false;
};

nanoseconds period_of(const Arguments& args) {
  const std::uint64_t hz = args.number("--hz").value_or(0);
  if (hz == 0 || hz > most_hz)
    throw_error(ErrorKind::usage, "--hz {}: give 1 to {} samples a second", hz, most_hz);
  return nanoseconds(1s) / hz;
}

}  // namespace

void sample_roots(Session& session, const Arguments& args, RowSink& rows) {
  const ParsedLine inner =
      parse_inner_line(session, *args.text("COMMAND"), session.settings().output);
  if (inner.command->name() != "roots")
    throw_error(ErrorKind::usage, "--hz samples roots, not {}: watch roots [VM] --hz N",
                inner.command->name());
  if (args.has("--every"))
    throw Error(ErrorKind::usage, "give either --hz (samples of roots) or --every (rounds)");
  Sampling sampling(session, rows, period_of(args), args.seconds("--for"));
  sampling.add_targets(inner.args);
  sampling.run();
  sampling.report();
}

}  // namespace kvmscope
