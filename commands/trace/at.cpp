// trace at: what a function or a source line sees when KVM, or the kernel, comes by.

#include <map>
#include <tuple>

#include <fmt/ranges.h>

#include "commands/shell/session.hpp"
#include "commands/trace/at_plan.hpp"
#include "commands/trace/event_view.hpp"
#include "commands/trace/runner.hpp"
#include "commands/trace/trace.hpp"
#include "commands/trace/vcpu_names.hpp"
#include "core/kernel/kernel.hpp"
#include "core/probe/fetch.hpp"

namespace kvmscope::tracing {
namespace {

std::vector<Column> columns() {
  using K = ColumnKind;
  return {{"time", K::text, "when, UTC"},
          {"vm", K::count, "number of the VM; null: not the thread of a vCPU"},
          {"vcpu", K::count, "vcpu_id; null likewise"},
          {"cpu", K::count, "CPU that it happened on"},
          {"tid", K::number, "thread"},
          {"place", K::text, "symbol and offset"},
          {"function", K::text, "function of the source code, which may be inlined there"},
          {"line", K::text, "source line; null: not known"},
          {"values",
           K::records,
           "of the expressions, in their order",
           {{"name", K::text, "the expression"}, {"value", K::number, "what it was"}}}};
}

std::string block(const RecordView& record) {
  const std::vector<Column> value_columns = columns().back().nested;
  std::string text = fmt::format("{}  {:<5} {:>7} {}", time_text(record), owner_text(record),
                                 record.text("tid"), record.text("place"));
  for (const Record& value : record.records("values")) {
    const RecordView view(value_columns, value);
    text += fmt::format("  {} {}", view.text("name"), view.text("value"));
  }
  return text + "\n";
}

Value value_in(const probe::FetchArg& arg, std::uint64_t recorded) {
  const std::uint64_t value = probe::value_of(arg, recorded);
  if (arg.is_hex) return Hex(value);
  if (arg.is_signed) return static_cast<std::int64_t>(value);
  return value;
}

class AtListener : public Listener {
 public:
  // `kvm`: names vCPUs; nullptr: KVM is not there.
  AtListener(const kvm::Kvm* kvm, const AtPlan& plan, std::vector<std::string> expressions,
             bool summary, RowSink& rows)
      : plan_(plan), expressions_(std::move(expressions)), summary_(summary), rows_(rows) {
    if (kvm != nullptr) names_.emplace(*kvm);
  }

  bool hit(const probe::Hit& hit) override {
    const VcpuName owner = names_ ? names_->thread(hit.tid) : VcpuName();
    if (summary_)
      ++counts_[{hit.probe, owner.vm, owner.vcpu}];
    else
      rows_.add(record(hit, owner));
    return true;
  }

  void finish() override {
    for (const auto& [key, count] : counts_) {
      const auto& [probe, vm, vcpu] = key;
      const AtPlace& place = plan_.places.at(probe);
      rows_.add({{place_name(place.place), place.function, line(place), number_or_null(vm),
                  number_or_null(vcpu), count}});
    }
  }

 private:
  using Key = std::tuple<std::size_t, std::optional<std::uint64_t>, std::optional<std::uint64_t>>;

  static Value line(const AtPlace& place) {
    return place.line.empty() ? Value{} : Value{place.line};
  }

  Record record(const probe::Hit& hit, const VcpuName& owner) const {
    const AtPlace& place = plan_.places.at(hit.probe);
    const std::vector<probe::FetchArg>& args = plan_.probes[hit.probe].args;
    Records values;
    for (std::size_t i = 0; i < expressions_.size(); ++i) {
      const AtValue& value = plan_.values[hit.probe][i];
      const bool is_here = value.index && *value.index < hit.values.size();
      values.push_back(
          {{expressions_[i], is_here ? value_in(args[*value.index], hit.values[*value.index])
                                     : Value{Lost{value.lost}}}});
    }
    return {{clock_.utc(hit.time_ns), number_or_null(owner.vm), number_or_null(owner.vcpu),
             std::uint64_t{hit.cpu}, std::int64_t{hit.tid}, place_name(place.place), place.function,
             line(place), std::move(values)}};
  }

  const AtPlan& plan_;
  std::vector<std::string> expressions_;
  bool summary_;
  RowSink& rows_;
  std::optional<VcpuNames> names_;
  const Clock clock_;
  std::map<Key, std::uint64_t> counts_;
};

Mode summary_mode() {
  using K = ColumnKind;
  return {.option = "--summary",
          .columns = {{"place", K::text, "symbol and offset"},
                      {"function", K::text, "function of the source code"},
                      {"line", K::text, "source line; null: not known"},
                      {"vm", K::count, "number of the VM; null: not the thread of a vCPU"},
                      {"vcpu", K::count, "vcpu_id; null likewise"},
                      {"count", K::count, "how often"}},
          .view = {.table = {number_column("COUNT", "count"),
                             {"VCPU", Align::left, owner_text},
                             column("PLACE", "place"),
                             column("LINE", "line")}}};
}

void trace_at(Session& session, const Arguments& args, RowSink& rows) {
  const bool at_return = args.has("--return");
  const std::vector<std::string> expressions = args.all("EXPR");
  const AtPlaces found =
      find_places([&](std::string_view module) { return code_of(session, module); },
                  *args.text("PLACE"), at_return);
  const AtPlan plan = at_plan(found, session.types(), at_return, expressions,
                              [&](std::size_t i) { return args.start("EXPR", i); });
  for (std::size_t i = 0; i < plan.places.size(); ++i)
    for (std::size_t j = 0; j < expressions.size(); ++j)
      if (!plan.values[i][j].index)
        rows.note(fmt::format("{}: {}", expressions[j], plan.values[i][j].lost));
  if (args.has("--dry-run")) {
    NoListener none;
    return run(session, args, rows, {.probes = plan.probes}, none);
  }
  const bool has_kvm = session.kernel().find_symbol("vm_list").has_value();
  AtListener listener(has_kvm ? &session.kvm() : nullptr, plan, expressions, args.has("--summary"),
                      rows);
  run(session, args, rows, {.probes = plan.probes}, listener);
}

}  // namespace

Command at() {
  return {
      .names = {"at"},
      .summary = "record values wherever a function or a source line is run",
      .details =
          "A function is probed where it is entered, out of line and in every copy that was\n"
          "inlined; a line where its first statement starts, in each copy of its function. EXPR "
          "is\n"
          "a member chain over parameters and locals (vcpu->vcpu_id, pages.page[2].sp->gfn), one\n"
          "word each. What was optimised out at the place is said with the places where it is to\n"
          "be had: FUNCTION+OFFSET names one. With --return $retval is known, and nothing else.\n"
          "Other modules and the kernel itself: MODULE:FUNCTION, vmlinux:FUNCTION.",
      .needs = Needs::debug_info,
      .arguments = {{"PLACE", ArgumentKind::symbol,
                     "FUNCTION, FUNCTION+OFFSET, MODULE:FUNCTION or FILE:LINE (mmu/mmu.c:2446)"},
                    {"EXPR", ArgumentKind::expression, "what to record; nothing when left out",
                     true, true}},
      .options = with_run_options(
          {{"--return", "", ArgumentKind::text, "where the function returns instead"}}),
      .columns = columns(),
      .view = {.block = block},
      .modes = {summary_mode(), dry_run_mode()},
      .examples = {"trace at kvm_mmu_load vcpu->vcpu_id --count 10 --yes",
                   "trace at mmu_zap_unsync_children+0xcc pages.nr --dry-run",
                   "trace at mmu_zap_unsync_children $retval --return --summary --for 5 --yes"},
      .group = "trace",
      .run = trace_at,
  };
}

}  // namespace kvmscope::tracing
