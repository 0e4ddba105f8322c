#include "commands/audit_fields.hpp"

#include <fmt/ranges.h>

namespace kvmscope {
namespace {

using K = ColumnKind;
using kvm::audit::Finding;

// Where parents are what is wrong, there is no way up.
Words path_of(const FindingItem& item) {
  const Finding& finding = item.finding;
  if (!finding.page) return {};
  const std::optional<Words> found =
      if_readable([&]() -> Words { return item.paths.to(*finding.page).texts; });
  Words words = found.value_or(Words{});
  if (finding.index)
    for (std::string& text : words)
      text += fmt::format(" {}[{}]", finding.page->level(), *finding.index);
  return words;
}

}  // namespace

const std::vector<FieldOf<FindingItem>>& finding_fields() {
  using I = const FindingItem&;
  static const std::vector<FieldOf<FindingItem>> all = {
      {{"vm", K::count, "number of the VM"},
       [](I i) -> Value { return std::uint64_t{i.vm.index}; }},
      {{"group", K::count, "findings that come of one fault have the same number"},
       [](I i) -> Value { return i.group; }},
      {{"rule", K::text, "see `audit --list`"},
       [](I i) -> Value { return std::string(i.finding.rule->name); }},
      {{"severity", K::text, "error, or info: KVM itself lets that go for a while"},
       [](I i) -> Value { return std::string(name(i.finding.rule->severity)); }},
      {{"unstable", K::flag, "KVM may be in the middle of a change"},
       [](I i) -> Value { return i.unstable; }},
      {{"cause", K::text, "the rule of the group's first finding; null for that one"},
       [](I i) -> Value {
         return i.finding.cause != nullptr ? Value{std::string(i.finding.cause->rule->name)}
                                           : Value{};
       }},
      {{"object", K::text, "what is at the address: vm, list, sp, spte, rmap, slot or vcpu"},
       [](I i) -> Value { return std::string(name(i.finding.object)); }},
      {{"address", K::hex, "of that"}, [](I i) -> Value { return Hex(i.finding.address); }},
      {{"sp", K::hex, "shadow page that it is about; null: none"},
       [](I i) -> Value { return i.finding.page ? Value{Hex(i.finding.page->address)} : Value{}; }},
      {{"index", K::count, "of the SPTE in that page's table; null: it is about no SPTE"},
       [](I i) -> Value { return number_or_null(i.finding.index); }},
      {{"paths", K::words, "ways from roots to it, 16 at most, as `rmap` has them"},
       [](I i) -> Value { return path_of(i); }},
      {{"text", K::text, "what was found, and what was expected"},
       [](I i) -> Value { return i.finding.text; }},
  };
  return all;
}

namespace {

std::string rule_text(const RecordView& record) {
  return record.is_null("cause") ? record.text("rule") : "└ " + record.text("rule");
}

std::string severity_text(const RecordView& record) {
  return record.text("severity") + (record.flag("unstable") ? ", unstable" : "");
}

std::string finding_text(const RecordView& record) {
  const Words& paths = record.words("paths");
  if (paths.empty()) return record.text("text");
  const std::string more = paths.size() == 1 ? "" : fmt::format(" and {} more", paths.size() - 1);
  return fmt::format("{} (at {}{})", record.text("text"), paths.front(), more);
}

}  // namespace

View finding_view() {
  return {.table = {number_column("VM", "vm"),
                    {"SEVERITY", Align::left, severity_text},
                    {"RULE", Align::left, rule_text},
                    {"FINDING", Align::left, finding_text}}};
}

// ---- --list

const std::vector<FieldOf<RuleItem>>& rule_fields() {
  using I = const RuleItem&;
  static const std::vector<FieldOf<RuleItem>> all = {
      {{"rule", K::text, "its name"}, [](I i) -> Value { return std::string(i.rule.name); }},
      {{"severity", K::text, "error or info"},
       [](I i) -> Value { return std::string(name(i.rule.severity)); }},
      {{"what", K::text, "what holds"}, [](I i) -> Value { return std::string(i.rule.what); }},
      {{"when", K::text, "for which kernels and VMs; null: for all"},
       [](I i) -> Value {
         return i.rule.when.empty() ? Value{} : Value{std::string(i.rule.when)};
       }},
      {{"breaks", K::words, "rules that a fault against it may break, too"},
       [](I i) -> Value { return Words(i.rule.breaks.begin(), i.rule.breaks.end()); }},
      {{"source", K::text, "functions of the kernel that keep it"},
       [](I i) -> Value { return std::string(i.rule.source); }},
      {{"vm", K::count, "number of the VM that was named; null: none"},
       [](I i) -> Value { return number_or_null(i.vm); }},
      {{"holds", K::flag, "whether it is checked in that VM"},
       [](I i) -> Value { return i.vm ? Value{i.excuse.empty()} : Value{}; }},
      {{"excuse", K::text, "why it is not"},
       [](I i) -> Value { return i.excuse.empty() ? Value{} : Value{i.excuse}; }},
  };
  return all;
}

namespace {

std::string rule_block(const RecordView& record) {
  std::string text = fmt::format("{} ({})\n  {}\n", record.text("rule"), record.text("severity"),
                                 record.text("what"));
  if (!record.is_null("when")) text += fmt::format("  when: {}\n", record.text("when"));
  if (!record.is_null("excuse"))
    text += fmt::format("  not in VM {}: {}\n", record.text("vm"), record.text("excuse"));
  if (!record.words("breaks").empty())
    text += fmt::format("  may break: {}\n", fmt::join(record.words("breaks"), ", "));
  return text + fmt::format("  kept by: {}\n", record.text("source"));
}

}  // namespace

View rule_view() {
  return {.block = rule_block};
}

}  // namespace kvmscope
