#include "commands/trace/unsync_plan.hpp"

#include <algorithm>
#include <array>

#include "core/base/error.hpp"
#include "core/expression/lexer.hpp"
#include "core/probe/fetch.hpp"

namespace kvmscope::tracing {
namespace {

// Of arch/x86/kvm/mmu/mmu.c, the same names since v2.6.27: who walks, and how it reaches the VM.
struct Walker {
  std::string_view event;
  std::string_view function;
  std::string_view kvm;
  std::string_view vcpu_id;  // empty: it may run for no vCPU
};
constexpr std::array<Walker, 2> walkers = {{
    {"zap", "mmu_zap_unsync_children", "kvm", ""},
    {"sync", "mmu_sync_children", "vcpu->kvm", "vcpu->vcpu_id"},
}};

// The walk returns to its caller: from mmu_unsync_walk() where that is out of line, else from the
// function that does its work.
constexpr std::array<std::string_view, 2> walk_functions = {"mmu_unsync_walk", "__mmu_unsync_walk"};
// Called once for each page that for_each_sp() yields, while `parents` is still about that page.
constexpr std::string_view step_function = "mmu_pages_clear_parents";

// MAX_TRACE_ARGS of kernel/trace/trace_probe.h, less what comes beside the groups.
constexpr std::size_t max_groups = (128 - 8) / 4;

struct Column {
  std::string_view field;
  std::string_view text;  // with {} for the index
};
constexpr std::array<Column, 4> page_columns = {{{"s", "pages.page[{}].sp"},
                                                 {"x", "pages.page[{}].idx"},
                                                 {"l", "pages.page[{}].sp->role.level"},
                                                 {"g", "pages.page[{}].sp->gfn"}}};
constexpr std::array<Column, 4> parent_columns = {{{"s", "parents.parent[{}]"},
                                                   {"x", "parents.idx[{}]"},
                                                   {"l", "parents.parent[{}]->role.level"},
                                                   {"g", "parents.parent[{}]->gfn"}}};

// The arguments of one probe, added by name.
class Args {
 public:
  // Only what belongs to the walker counts: functions inlined into it use the same names.
  Args(const Types& types, const CodeSource& code, const CodePlace& place,
       std::string_view function)
      : scope_(probe::scope_at(types, code, place)) {
    std::erase_if(scope_.variables,
                  [&](const CodeVariable& variable) { return variable.function != function; });
  }

  std::size_t add(std::string field, std::string_view text) {
    probe::FetchArg arg = without_column([&] { return probe::fetch_argument(text, scope_); });
    arg.field = std::move(field);
    args_.push_back(std::move(arg));
    return args_.size() - 1;
  }

  // None where the value is not to be had; `why` says so then.
  std::optional<std::size_t> try_add(std::string field, std::string_view text, std::string& why) {
    const std::string_view name = text.substr(0, text.find_first_of(".-["));
    const auto variable =
        std::find_if(scope_.variables.begin(), scope_.variables.end(),
                     [&](const CodeVariable& known) { return known.name == name; });
    if (variable == scope_.variables.end()) {
      why = fmt::format("there is no '{}'", name);
      return std::nullopt;
    }
    if (!variable->location.lost.empty()) {
      why = fmt::format("'{}': {}", name, variable->location.lost);
      return std::nullopt;
    }
    return add(std::move(field), text);
  }

  void add_groups(const std::array<Column, 4>& columns, std::size_t groups) {
    for (std::size_t group = 0; group < groups; ++group)
      for (const Column& column : columns)
        add(fmt::format("{}{}", column.field, group),
            fmt::format(fmt::runtime(column.text), group));
  }

  // The length of an array that is a member of a variable.
  std::size_t length(std::string_view variable, std::string_view array) const {
    for (const CodeVariable& known : scope_.variables) {
      if (known.name != variable || !known.type) continue;
      const Type& type = scope_.types.complete(strip(known.type.get()));
      const auto found = find_member(type, array);
      const Type* elements = found ? &strip(*found->type) : nullptr;
      if (elements == nullptr || elements->kind != TypeKind::array || !elements->count) continue;
      return std::min<std::uint64_t>(*elements->count, max_groups);
    }
    throw_error(ErrorKind::unavailable, "the debug info has no {}.{}[] at {}", variable, array,
                place_name(scope_.place));
  }

  std::vector<probe::FetchArg> take() { return std::move(args_); }

 private:
  probe::FetchScope scope_;
  std::vector<probe::FetchArg> args_;
};

class Planner {
 public:
  Planner(const ProbedCode& kvm, const Types& types) : kvm_(kvm), types_(types) {}

  UnsyncPlan plan() {
    for (const Walker& walker : walkers) {
      const std::vector<CodeBlock> copies = kvm_.code().copies(walker.function);
      if (copies.empty())
        throw_error(ErrorKind::unavailable, "{} has no function {}", kvm_.file->path(),
                    walker.function);
      std::size_t walks = 0, steps = 0;
      for (const CodeBlock& copy : copies) {
        for (const CodePlace& place : returns(copy)) add_walk(walker, place, walks++);
        for (const CodePlace& place : step_places(copy)) add_step(walker, place, steps++);
      }
      if (walks == 0 || steps == 0)
        throw_error(ErrorKind::unavailable,
                    "the debug info of {} lists no call of {} in {}: it cannot be said where {}",
                    kvm_.file->path(), walks == 0 ? walk_functions.back() : step_function,
                    walker.function, walks == 0 ? "the walk returns" : "a step is made");
    }
    return std::move(plan_);
  }

 private:
  std::vector<CodePlace> returns(const CodeBlock& walker) const {
    std::vector<CodePlace> places;
    for (const std::string_view function : walk_functions) {
      for (const CodeCall& call : kvm_.code().calls(walker, function)) places.push_back(call.after);
      if (!places.empty()) break;
    }
    return places;
  }

  std::vector<CodePlace> step_places(const CodeBlock& walker) const {
    std::vector<CodePlace> places;
    for (const CodeCall& call : kvm_.code().calls(walker, step_function))
      places.push_back(call.instruction);
    if (!places.empty()) return places;
    for (const CodeBlock& copy : kvm_.code().inlined(walker, step_function))
      places.push_back(copy.entry);
    return places;
  }

  // Whose event it is, as far as the place tells.
  void add_owner(const Walker& walker, Args& args, UnsyncProbe& meaning) {
    std::string why;
    meaning.kvm = args.try_add("kvm", walker.kvm, why);
    if (!walker.vcpu_id.empty()) meaning.vcpu = args.try_add("vcpu", walker.vcpu_id, why);
    if (!meaning.kvm)
      plan_.notes.push_back(
          fmt::format("{}: the VM is told by its threads alone ({})", walker.function, why));
  }

  void add_walk(const Walker& walker, const CodePlace& place, std::size_t number) {
    Args args(types_, kvm_.code(), place, walker.function);
    UnsyncProbe meaning{.function = std::string(walker.function)};
    meaning.groups = args.length("pages", "page");
    meaning.first = args.add("nr", "pages.nr");
    args.add_groups(page_columns, meaning.groups);
    add_owner(walker, args, meaning);
    add_probe(walker, "walk", place, number, args, std::move(meaning));
  }

  void add_step(const Walker& walker, const CodePlace& place, std::size_t number) {
    Args args(types_, kvm_.code(), place, walker.function);
    UnsyncProbe meaning{.kind = UnsyncProbe::Kind::step, .function = std::string(walker.function)};
    meaning.groups = args.length("parents", "parent");
    args.add_groups(parent_columns, meaning.groups);
    std::string why_i, why_sp;
    meaning.i = args.try_add("i", "i", why_i);
    meaning.sp = args.try_add("sp", "sp", why_sp);
    if (!meaning.i && !meaning.sp)
      plan_.notes.push_back(fmt::format("{}: steps are told by their order alone ({}; {})",
                                        walker.function, why_i, why_sp));
    add_probe(walker, "step", place, number, args, std::move(meaning));
  }

  void add_probe(const Walker& walker, std::string_view kind, const CodePlace& place,
                 std::size_t number, Args& args, UnsyncProbe meaning) {
    plan_.probes.push_back({.event = number == 0
                                         ? fmt::format("{}_{}", walker.event, kind)
                                         : fmt::format("{}_{}{}", walker.event, kind, number + 1),
                            .place = kvm_.probe_place(place),
                            .args = args.take()});
    plan_.meanings.push_back(std::move(meaning));
  }

  const ProbedCode& kvm_;
  const Types& types_;
  UnsyncPlan plan_;
};

}  // namespace

UnsyncPlan unsync_plan(const ProbedCode& kvm, const Types& types) {
  return Planner(kvm, types).plan();
}

}  // namespace kvmscope::tracing
