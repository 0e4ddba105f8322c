// trace events: KVM's own MMU tracepoints, decoded, with the VM, the vCPU and the role in words.

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

#include "commands/shell/session.hpp"
#include "commands/trace/event_view.hpp"
#include "commands/trace/runner.hpp"
#include "commands/trace/trace.hpp"
#include "commands/trace/vcpu_names.hpp"
#include "core/base/nearest.hpp"
#include "core/kvm/kvm.hpp"

#include <fmt/ranges.h>

namespace kvmscope::tracing {
namespace {

constexpr std::string_view system_name = "kvmmmu";
constexpr std::string_view usual_prefix = "kvm_mmu_";

// How a field of a tracepoint is shown, arch/x86/kvm/mmu/mmutrace.h. One that is not here is shown
// as its size suggests.
enum class Show { decimal, hex, flag, role };
struct FieldMeaning {
  std::string_view field;
  Show show;
};
constexpr std::array<FieldMeaning, 10> meanings = {{
    {"gfn", Show::hex},
    {"role", Show::role},
    {"root_count", Show::decimal},
    {"level", Show::decimal},
    {"mmu_valid_gen", Show::decimal},
    {"pferr", Show::hex},
    {"error_code", Show::hex},
    {"access", Show::hex},
    {"as_id", Show::decimal},
    {"vcpu_id", Show::decimal},
}};

Show show_of(const probe::EventField& field) {
  for (const FieldMeaning& known : meanings)
    if (known.field == field.name) return known.show;
  if (field.type == "bool") return Show::flag;
  return field.size == sizeof(std::uint64_t) ? Show::hex : Show::decimal;
}

// One tracepoint: the fields that Hit::values are of.
struct Tracepoint {
  std::string name;
  std::vector<probe::EventField> fields;
};

std::vector<Column> columns() {
  using K = ColumnKind;
  return {
      {"time", K::text, "when, UTC"},
      {"vm", K::count, "number of the VM; null: not the thread of a vCPU"},
      {"vcpu", K::count, "vcpu_id; null likewise"},
      {"cpu", K::count, "CPU that it happened on"},
      {"tid", K::number, "thread"},
      {"event", K::text, "name of the tracepoint"},
      {"gfn", K::hex, "guest frame, of an event that has one"},
      {"level", K::count, "of the table or the page, of an event that has one"},
      {"role_text", K::text, "the shadow page's role in words, of an event that has one"},
      {"fields",
       K::records,
       "everything that the kernel recorded",
       {{"name", K::text, "as its format file calls it"},
        {"value", K::hex, "two's complement if it is negative"}}},
      {"text", K::text, "the same in words"},
  };
}

class EventText {
 public:
  explicit EventText(const kvm::RoleFields& roles) : roles_(roles) {}

  std::string text(const Tracepoint& event, const std::vector<std::uint64_t>& values) const {
    std::vector<std::string> words;
    for (std::size_t i = 0; i < values.size(); ++i) {
      std::string word = one(event.fields[i], values[i]);
      if (!word.empty()) words.push_back(std::move(word));
    }
    return fmt::format("{}", fmt::join(words, " "));
  }

  kvm::Role role(std::uint64_t word) const {
    return kvm::decode_role(roles_, static_cast<std::uint32_t>(word));
  }

 private:
  std::string one(const probe::EventField& field, std::uint64_t value) const {
    switch (show_of(field)) {
      case Show::flag: return value != 0 ? field.name : "";
      case Show::hex: return fmt::format("{} {:#x}", field.name, value);
      case Show::role: {
        const kvm::Role role = this->role(value);
        return fmt::format("l{} {}", role.level, role.text());
      }
      case Show::decimal: break;
    }
    return field.is_signed ? fmt::format("{} {}", field.name, static_cast<std::int64_t>(value))
                           : fmt::format("{} {}", field.name, value);
  }

  const kvm::RoleFields& roles_;
};

class EventListener : public Listener {
 public:
  EventListener(const kvm::Kvm& kvm, bool summary, RowSink& rows)
      : names_(kvm), text_(kvm.layout().role()), summary_(summary), rows_(rows) {}

  void armed(const std::vector<probe::EventFormat>& formats, std::uint64_t) override {
    for (const probe::EventFormat& format : formats) {
      Tracepoint event{.name = format.name, .fields = format.fields};
      std::erase_if(event.fields, [](const auto& field) { return !field.is_number(); });
      events_.push_back(std::move(event));
    }
  }

  bool hit(const probe::Hit& hit) override {
    const Tracepoint& event = events_[hit.probe];
    const VcpuName name = names_.thread(hit.tid);
    if (summary_)
      ++counts_[{event.name, name.vm, name.vcpu}];
    else
      rows_.add(record(event, name, hit));
    return true;
  }

  void finish() override {
    for (const auto& [key, count] : counts_) {
      const auto& [event, vm, vcpu] = key;
      rows_.add({{event, number_or_null(vm), number_or_null(vcpu), count}});
    }
  }

 private:
  using Key = std::tuple<std::string, std::optional<std::uint64_t>, std::optional<std::uint64_t>>;

  Record record(const Tracepoint& event, const VcpuName& name, const probe::Hit& hit) const {
    Value gfn;
    Value level;
    Value role_text;
    Records fields;
    for (std::size_t i = 0; i < hit.values.size(); ++i) {
      const std::string& field = event.fields[i].name;
      const std::uint64_t value = hit.values[i];
      fields.push_back({{field, Hex(value)}});
      if (field == "gfn") gfn = Hex(value);
      if (field == "level") level = value;
      if (field != "role") continue;
      const kvm::Role role = text_.role(value);
      level = std::uint64_t{role.level};
      role_text = role.text();
    }
    return {{clock_.utc(hit.time_ns), number_or_null(name.vm), number_or_null(name.vcpu),
             std::uint64_t{hit.cpu}, std::int64_t{hit.tid}, event.name, std::move(gfn),
             std::move(level), std::move(role_text), std::move(fields),
             text_.text(event, hit.values)}};
  }

  VcpuNames names_;
  EventText text_;
  bool summary_;
  RowSink& rows_;
  const Clock clock_;
  std::vector<Tracepoint> events_;
  std::map<Key, std::uint64_t> counts_;
};

// One line for each event, as it comes.
std::string block(const RecordView& record) {
  std::string event = record.text("event");
  if (event.starts_with(usual_prefix)) event.erase(0, usual_prefix.size());
  return fmt::format("{}  {:<5} {:<20} {}\n", time_text(record), owner_text(record), event,
                     record.text("text"));
}

// What the user called it; "get_page" is kvm_mmu_get_page, too.
std::string tracepoint(const std::vector<std::string>& known, const std::string& name) {
  for (const std::string& full : {name, std::string(usual_prefix) + name})
    if (std::find(known.begin(), known.end(), full) != known.end()) return full;
  throw_error(ErrorKind::usage, "the kernel has no tracepoint {}/{}{}; it has: {}", system_name,
              name, did_you_mean(name, known), fmt::join(known, ", "));
}

Plan plan_of(const probe::Tracefs& tracefs, const std::vector<std::string>& wanted) {
  const std::vector<std::string> known = tracefs.folders(fmt::format("events/{}", system_name));
  if (known.empty())
    throw_error(ErrorKind::unavailable, "{}/events/{} does not exist: is the module kvm loaded?",
                tracefs.root(), system_name);
  std::vector<std::string> names;
  for (const std::string& name : wanted) names.push_back(tracepoint(known, name));
  if (wanted.empty()) names = known;
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  Plan plan;
  for (const std::string& name : names)
    plan.tracepoints.push_back(fmt::format("{}/{}", system_name, name));
  return plan;
}

void trace_events(Session& session, const Arguments& args, RowSink& rows) {
  const std::unique_ptr<probe::Tracefs> tracefs = find_tracefs(session);
  const Plan plan = plan_of(*tracefs, args.all("NAME"));
  EventListener listener(session.kvm(), args.has("--summary"), rows);
  run_in(*tracefs, session, args, rows, plan, listener);
}

Mode summary_mode() {
  using K = ColumnKind;
  return {.option = "--summary",
          .columns = {{"event", K::text, "name of the tracepoint"},
                      {"vm", K::count, "number of the VM; null: not the thread of a vCPU"},
                      {"vcpu", K::count, "vcpu_id; null likewise"},
                      {"count", K::count, "how often"}},
          .view = {.table = {column("EVENT", "event"),
                             {"VCPU", Align::left, owner_text},
                             number_column("COUNT", "count")}}};
}

}  // namespace

Command events() {
  return {
      .names = {"events"},
      .summary = "show KVM's MMU tracepoints as they fire, with VM, vCPU and role in words",
      .details =
          "The tracepoints of the kernel's system kvmmmu: a shadow page is made, found, synced,\n"
          "goes out of sync or is zapped, the guest's tables are walked. All of them, or those\n"
          "that are named. The vCPU is the one that the thread runs: an event of another thread\n"
          "(a memslot that user space deletes) has none.",
      .arguments = {{"NAME", ArgumentKind::text,
                     "a tracepoint, with or without kvm_mmu_: get_page, sync_page, unsync_page, "
                     "prepare_zap_page, pagetable_walk, ...; all when left out",
                     true, true}},
      .options = with_run_options({}),
      .columns = columns(),
      .view = {.block = block},
      .modes = {summary_mode(), dry_run_mode()},
      .examples = {"trace events get_page prepare_zap_page --for 5 --yes",
                   "trace events --summary --for 1 --yes"},
      .group = "trace",
      .run = trace_events,
  };
}

}  // namespace kvmscope::tracing
