// trace unsync: batches of mmu_unsync_walk and the steps of for_each_sp, while KVM makes them.

#include <map>
#include <set>

#include "commands/shell/session.hpp"
#include "commands/targets.hpp"
#include "commands/trace/event_view.hpp"
#include "commands/trace/runner.hpp"
#include "commands/trace/trace.hpp"
#include "commands/trace/unsync_batches.hpp"
#include "commands/trace/unsync_filter.hpp"
#include "commands/trace/unsync_plan.hpp"
#include "commands/trace/vcpu_names.hpp"
#include "commands/unsync_view.hpp"
#include "core/expression/lexer.hpp"

namespace kvmscope::tracing {
namespace {

std::vector<Column> columns() {
  using K = ColumnKind;
  return {{"time", K::text, "when the walk returned, UTC"},
          {"vm", K::count, "number of the VM; null where it cannot be told"},
          {"vcpu", K::count, "vcpu_id; null: the thread of no vCPU"},
          {"tid", K::number, "thread"},
          {"function", K::text, "who walked: mmu_zap_unsync_children or mmu_sync_children"},
          {"root_sp", K::hex, "shadow page that the walk started at"},
          {"batch", K::count, "number of the batch, from 0"},
          unsync_pages_column(),
          unsync_steps_column()};
}

std::string block(const RecordView& batch) {
  const RecordView root(unsync_page_columns(), batch.records("pages").front());
  return fmt::format("{} {} {}: pages after mmu_unsync_walk of {} (gfn {}), batch {}: {} of {}\n",
                     time_text(batch), owner_text(batch), batch.text("function"),
                     batch.text("root_sp"), root.text("gfn"), batch.text("batch"),
                     batch.records("pages").size(), kvm::UnsyncReplay::batch_size) +
         unsync_rows(batch);
}

// What --summary counts batches by.
struct Shape {
  std::string function;
  VcpuName owner;
  std::string levels;
  auto key() const { return std::tie(function, owner.vm, owner.vcpu, levels); }
  bool operator<(const Shape& other) const { return key() < other.key(); }
};
struct Seen {
  std::uint64_t batches = 0;
  std::uint64_t steps = 0;
};

class UnsyncListener : public Listener {
 public:
  UnsyncListener(const kvm::Kvm& kvm, const UnsyncPlan& plan, const UnsyncFilter& filter,
                 std::set<std::uint64_t> wanted, bool summary, RowSink& rows)
      : batches_(plan),
        names_(kvm),
        filter_(filter),
        wanted_(std::move(wanted)),
        summary_(summary),
        rows_(rows) {
    for (const std::uint64_t address : wanted_) wanted_numbers_.insert(names_.vm(address));
  }

  bool hit(const probe::Hit& hit) override {
    bool counts = false;
    for (TracedBatch& traced : batches_.add(hit)) counts |= show(std::move(traced));
    return counts;
  }
  void time(std::uint64_t now_ns) override {
    for (TracedBatch& traced : batches_.older_than(now_ns)) show(std::move(traced));
  }
  void finish() override {
    if (batches_.open() != 0)
      rows_.note(fmt::format(
          "left out: {} whose steps were not over when the trace ended",
          batches_.open() == 1 ? "a batch" : fmt::format("{} batches", batches_.open())));
    for (const auto& [shape, seen] : shapes_)
      rows_.add({{shape.function, number_or_null(shape.owner.vm), number_or_null(shape.owner.vcpu),
                  shape.levels, seen.batches, seen.steps}});
  }

 private:
  // Returns whether it is one of those that the user wants to see.
  bool show(TracedBatch traced) {
    VcpuName owner = names_.thread(traced.tid);
    if (traced.kvm) owner.vm = names_.vm(*traced.kvm);
    if (traced.vcpu) owner.vcpu = traced.vcpu;
    if (!is_wanted(traced, owner) || !filter_.passes(traced, owner)) return false;
    if (summary_)
      count(traced, owner);
    else
      rows_.add(record(std::move(traced), owner));
    return true;
  }

  bool is_wanted(const TracedBatch& traced, const VcpuName& owner) const {
    if (wanted_.empty()) return true;
    return traced.kvm ? wanted_.contains(*traced.kvm) : wanted_numbers_.contains(owner.vm);
  }

  void count(const TracedBatch& traced, const VcpuName& owner) {
    std::string levels;
    for (const kvm::UnsyncPage& page : traced.batch.pages)
      levels += fmt::format("{}{}", levels.empty() ? "" : " ", page.level);
    Seen& seen = shapes_[{traced.function, owner, std::move(levels)}];
    ++seen.batches;
    seen.steps += traced.batch.steps.size();
  }

  Record record(TracedBatch traced, const VcpuName& owner) {
    Records steps;
    for (const kvm::UnsyncStep& step : traced.batch.steps)
      steps.push_back({{step.at, Hex(step.sp), unsync_page_records(step.parents)}});
    return {{clock_.utc(traced.time_ns), number_or_null(owner.vm), number_or_null(owner.vcpu),
             std::int64_t{traced.tid}, traced.function, Hex(traced.batch.pages.front().sp),
             next_batch_++, unsync_page_records(traced.batch.pages), std::move(steps)},
            std::move(traced.batch.notes)};
  }

  UnsyncBatches batches_;
  VcpuNames names_;
  const UnsyncFilter& filter_;
  std::set<std::uint64_t> wanted_;  // addresses of VMs; empty: all
  std::set<std::optional<std::uint64_t>> wanted_numbers_;
  bool summary_;
  RowSink& rows_;
  const Clock clock_;
  std::uint64_t next_batch_ = 0;
  std::map<Shape, Seen> shapes_;
};

Mode summary_mode() {
  using K = ColumnKind;
  return {.option = "--summary",
          .columns = {{"function", K::text, "who walked"},
                      {"vm", K::count, "number of the VM; null where it cannot be told"},
                      {"vcpu", K::count, "vcpu_id; null: the thread of no vCPU"},
                      {"levels", K::text, "levels of the batch's pages, in their order"},
                      {"batches", K::count, "how many batches were so"},
                      {"steps", K::count, "steps that were made in them"}},
          .view = {.table = {number_column("BATCHES", "batches"),
                             number_column("STEPS", "steps"),
                             {"VCPU", Align::left, owner_text},
                             column("FUNCTION", "function"),
                             column("LEVELS", "levels")}}};
}

void trace_unsync(Session& session, const Arguments& args, RowSink& rows) {
  const UnsyncFilter filter = columns_from(args.start("--where"), [&] {
    return UnsyncFilter(args.option("--where").value_or(""), session.types());
  });
  const UnsyncPlan plan = unsync_plan(kvm_code(session), session.types());
  if (args.has("--dry-run")) {
    NoListener none;
    return run(session, args, rows, {.probes = plan.probes}, none);
  }
  std::set<std::uint64_t> wanted;
  if (const std::optional<std::string> vm = args.text("VM"))
    wanted.insert(find_vm(session.kvm(), *vm, rows).address.value);
  for (const std::string& note : plan.notes) rows.note(note);
  UnsyncListener listener(session.kvm(), plan, filter, std::move(wanted), args.has("--summary"),
                          rows);
  run(session, args, rows, {.probes = plan.probes}, listener);
}

}  // namespace

Command unsync() {
  // Lives as long as the program: a command's texts are views.
  static const std::string details =
      "At each return of mmu_unsync_walk() the batch that it collected (struct kvm_mmu_pages), "
      "then\n"
      "the steps of for_each_sp() with the page and the path in struct mmu_page_path, from\n"
      "mmu_zap_unsync_children() and mmu_sync_children(). Where that is in this kernel, and where\n"
      "its variables are, comes from the debug info. --count counts batches. In --where:\n" +
      UnsyncFilter::help();
  return {
      .names = {"unsync"},
      .summary = "show each batch of mmu_unsync_walk and its steps, while KVM makes them",
      .details = details,
      .needs = Needs::debug_info,
      .arguments = {vm_argument()},
      .options = with_run_options({{"--where", "EXPR", ArgumentKind::expression,
                                    "only batches for which this C expression is not 0"}}),
      .columns = columns(),
      .view = {.block = block},
      .modes = {summary_mode(), dry_run_mode()},
      .examples = {"trace unsync 0 --where 'levels(2) >= 2' --count 1 --yes",
                   "trace unsync --summary --for 10 --yes", "trace unsync --dry-run"},
      .group = "trace",
      .run = trace_unsync,
  };
}

}  // namespace kvmscope::tracing
