#include "commands/shell/session.hpp"

#include <optional>
#include <utility>

#include "commands/shell/caught.hpp"
#include "commands/shell/timed_finder.hpp"
#include "core/kernel/kernel.hpp"
#include "core/kvm/kvm.hpp"
#include "core/kvm/make_pack.hpp"
#include "core/object/object.hpp"

namespace kvmscope {

// What has been opened so far. Later members refer to earlier ones.
struct Session::Opened {
  std::unique_ptr<Dump> dump;
  std::optional<Kernel> kernel;
  std::optional<DebugInfo> offline;
  std::optional<kvm::Kvm> kvm;
  std::map<std::string, Object> variables;
};

namespace {

class SessionMemory final : public VirtReader {
 public:
  explicit SessionMemory(Session& session) : session_(session) {}
  void read(VirtAddr at, MutableBytes into) const override {
    session_.kernel().memory().read(at, into);
  }

 private:
  Session& session_;
};

}  // namespace

Session::Session(Target target, const DebugFinder& finder, const std::vector<Command>& catalogue,
                 Console& console, std::string offline_release, OpenLog* log)
    : target_(std::move(target)),
      catalogue_(catalogue),
      console_(console),
      offline_release_(std::move(offline_release)),
      open_log_(log),
      output_files_(log),
      files_ahead_(log),
      finder_(make_timed_finder(finder, clock_)),
      memory_(std::make_unique<SessionMemory>(*this)),
      opened_(std::make_unique<Opened>()) {}

Session::~Session() = default;

const Kernel& Session::kernel() {
  target_in_use_ = true;
  return open_kernel();
}

const Kernel& Session::open_kernel() {
  if (opened_->kernel) return *opened_->kernel;
  if (cannot_open_) throw Error(*cannot_open_);
  if (target_.open == nullptr)
    throw Error(ErrorKind::unavailable, "no target is open: give a dump with -c FILE");
  const PhaseClock::Scope scope(clock_, Phase::open);
  if (opened_->dump == nullptr) {
    opened_->dump = target_.open();
    clock_.count_reads([dump = opened_->dump.get()] { return dump->counts(); });
  }
  opened_->kernel.emplace(*opened_->dump, *finder_);
  start_reading(recording_);
  return *opened_->kernel;
}

bool Session::is_open() const {
  return opened_->kernel.has_value();
}

bool Session::uses_target() const {
  return target_.open != nullptr && (!target_.implied || target_in_use_);
}

bool Session::is_live() const {
  return opened_->kernel ? opened_->kernel->steady() != nullptr : target_.implied;
}

void Session::start_reading(Recording* recording) {
  recording_ = recording;
  if (!opened_->kernel || opened_->kernel->steady() == nullptr) return;
  if (recording == nullptr) return opened_->kernel->steady()->start({});
  recording->attach(opened_->kernel->steady());
  opened_->kernel->steady()->start(
      {.bytes = settings_.max_bytes,
       .time = settings_.max_time,
       .taken = [this, before = clock_.walked()] { return clock_.walked() - before; }});
  if (opened_->kvm) opened_->kvm->forget_values();
}

// Types, variables and addresses of the modules that are gone would mix with those of the new ones.
std::string Session::renew() {
  if (!opened_->kernel || opened_->kernel->live() == nullptr) return "";
  std::string what = opened_->kernel->live()->changed();
  if (what.empty()) return what;
  if (keepers_ != 0) throw_error(ErrorKind::unavailable, "{}: run the program again", what);
  opened_->variables.clear();
  opened_->kvm.reset();
  opened_->kernel.reset();
  // Its files in /proc and /sys are root's.
  if (gave_up_root_)
    cannot_open(Error(ErrorKind::unavailable,
                      fmt::format("{}, and kvmscope has given up root, which it would need to look "
                                  "for everything anew: run it again",
                                  what)));
  return what;
}

const kvm::Kvm& Session::kvm() {
  if (opened_->kvm) return *opened_->kvm;
  const Kernel& kernel = this->kernel();
  {
    const PhaseClock::Scope scope(clock_, Phase::symbols);
    if (!kernel.knows_symbols()) kernel.symbol_origin();
    kernel.modules();
  }
  const PhaseClock::Scope scope(clock_, Phase::types);
  opened_->kvm.emplace(kernel);
  keep_layout();
  return *opened_->kvm;
}

// Once: from then on it is in the cache, or cannot be.
void Session::keep_layout() {
  const LayoutCache* cache = std::exchange(layout_cache_, nullptr);
  const Kernel& kernel = *opened_->kernel;
  if (cache == nullptr || kernel.debug_info().layout() != nullptr || !cache->make_folder()) return;
  caught([&] {
    const kvm::AllFields fields(kernel.layout_types());
    if (fields.complete())
      cache->keep(kvm::make_pack(kernel.debug_info(), fields, kernel.build_id("vmlinux"),
                                 kernel.usual_symbols()));
  });
}

void Session::open_all() {
  if (has_target() && !cannot_open_) {
    const Kernel& kernel = open_kernel();
    const PhaseClock::Scope scope(clock_, Phase::symbols);
    if (!kernel.knows_symbols()) kernel.symbol_origin();
    kernel.debug_info().open_all();
    kernel.fetch_debug_info();
    keep_layout();
  }
  const PhaseClock::Scope scope(clock_, Phase::types);
  if (!is_open()) debug_info().open_all();
}

const DebugInfo& Session::debug_info() {
  if (uses_target()) return kernel().debug_info();
  // The same files, each opened once.
  if (is_open()) return opened_->kernel->debug_info();
  if (!opened_->offline)
    opened_->offline.emplace(*finder_, offline_release_, [](std::string_view) { return ""; });
  return *opened_->offline;
}

const Types& Session::types() {
  return debug_info().types();
}

std::map<std::string, Object>& Session::variables() {
  return opened_->variables;
}

}  // namespace kvmscope
