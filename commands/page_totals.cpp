#include "commands/page_totals.hpp"

#include <fmt/format.h>

namespace kvmscope {

void PageTotals::add(const std::optional<PageFacts>& page) {
  ++pages;
  if (!page) {
    ++unreadable;
    return;
  }
  ++by_level[page->level];
  unsync += page->unsync;
  invalid += page->invalid;
  obsolete += page->obsolete;
}

PageTotals& PageTotals::operator+=(const PageTotals& other) {
  pages += other.pages;
  unreadable += other.unreadable;
  unsync += other.unsync;
  invalid += other.invalid;
  obsolete += other.obsolete;
  for (std::size_t level = 0; level < by_level.size(); ++level)
    by_level[level] += other.by_level[level];
  return *this;
}

const std::vector<Column>& page_totals_columns() {
  using K = ColumnKind;
  static const std::vector<Column> columns = {
      {"vm", K::count, "number of the VM"},
      {"pages", K::count, "pages that were counted (and fit the filters)"},
      {"used", K::count, "shadow pages, as KVM counts them"},
      {"max", K::count, "limit of shadow pages"},
      {"levels", K::records, "pages by level", {{"level", K::count, ""}, {"pages", K::count, ""}}},
      {"unsync", K::count, "unsync pages"},
      {"invalid", K::count, "invalid pages"},
      {"obsolete", K::count, "obsolete pages"},
      {"unreadable", K::count, "pages that could not be read"}};
  return columns;
}

Record page_totals_record(const kvm::Kvm& kvm, const kvm::Vm& vm, const PageTotals& totals) {
  Records levels;
  for (unsigned level = 5; level >= 1; --level)
    if (totals.by_level[level] != 0)
      levels.push_back({{std::uint64_t{level}, totals.by_level[level]}});
  const auto field = [&](const Field& wanted) {
    return value_or_lost([&]() -> Value { return vm.fields.get(wanted); });
  };
  return {{std::uint64_t{vm.index}, totals.pages, field(kvm.layout().vm().used_pages),
           field(kvm.layout().vm().max_pages), std::move(levels), totals.unsync, totals.invalid,
           totals.obsolete, totals.unreadable}};
}

std::string page_totals_line(const RecordView& record) {
  const std::vector<Column>& level_columns = page_totals_columns()[4].nested;
  std::string levels;
  for (const Record& entry : record.records("levels")) {
    const RecordView level(level_columns, entry);
    levels += fmt::format("{} L{} {}", levels.empty() ? ":" : ",", level.text("level"),
                          level.text("pages"));
  }
  std::string line =
      fmt::format("{} pages (used {}, max {}){}; unsync {}, invalid {}, obsolete {}",
                  record.text("pages"), record.text("used"), record.text("max"), levels,
                  record.text("unsync"), record.text("invalid"), record.text("obsolete"));
  if (record.number("unreadable") != 0)
    line += fmt::format(", unreadable {}", record.text("unreadable"));
  return line;
}

}  // namespace kvmscope
