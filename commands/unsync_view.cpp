#include "commands/unsync_view.hpp"

#include <algorithm>

namespace kvmscope {
namespace {

std::string number_row(const char* title, const Records& pages, std::size_t width,
                       std::string (*cell)(const RecordView&, std::size_t)) {
  std::string line = title;
  for (std::size_t i = 0; i < pages.size(); ++i)
    line += fmt::format(" {:>{}}", cell(RecordView(unsync_page_columns(), pages[i]), i), width);
  return line + "\n";
}

std::string step_lines(const RecordView& batch) {
  const Records& pages = batch.records("pages");
  const std::vector<Column> step_columns = unsync_steps_column().nested;
  std::string text;
  std::size_t number = 0;
  for (const Record& record : batch.records("steps")) {
    const RecordView step(step_columns, record);
    const RecordView leaf(unsync_page_columns(), pages[step.number("at")]);
    text += fmt::format("Step {}: sp [{}] {} gfn {}   parents:", ++number, step.text("at"),
                        step.text("sp"), leaf.text("gfn"));
    bool first = true;
    for (const Record& above : step.records("parents")) {
      const RecordView parent(unsync_page_columns(), above);
      text += fmt::format("{}{} {}[{}]", first ? " " : "  ", parent.text("level"),
                          parent.text("gfn"), parent.text("idx"));
      first = false;
    }
    text += "\n";
  }
  return text;
}

}  // namespace

const std::vector<Column>& unsync_page_columns() {
  using K = ColumnKind;
  static const std::vector<Column> columns = {
      {"sp", K::hex, "shadow page"},
      {"level", K::count, "its level"},
      {"gfn", K::hex, "guest frame of the table that it shadows"},
      {"idx", K::number, "entry that leads on: in its parent for pages, in itself for parents"}};
  return columns;
}

Column unsync_pages_column() {
  return {"pages", ColumnKind::records, "struct kvm_mmu_pages: at most 16, idx -1 for the root",
          unsync_page_columns()};
}

Column unsync_steps_column() {
  using K = ColumnKind;
  return {"steps",
          K::records,
          "for_each_sp: one per level-1 page",
          {{"at", K::count, "its place in pages"},
           {"sp", K::hex, "shadow page"},
           {"parents", K::records, "struct mmu_page_path, from the leaf's parent up",
            unsync_page_columns()}}};
}

Records unsync_page_records(const std::vector<kvm::UnsyncPage>& pages) {
  Records records;
  for (const kvm::UnsyncPage& page : pages)
    records.push_back({{Hex(page.sp), std::uint64_t{page.level}, Hex(page.gfn), page.idx}});
  return records;
}

std::string unsync_rows(const RecordView& batch) {
  const Records& pages = batch.records("pages");
  std::size_t width = 2;
  for (const Record& page : pages)
    width = std::max(width, RecordView(unsync_page_columns(), page).text("idx").size());
  std::string text = number_row("SP index: ", pages, width, [](const RecordView&, std::size_t i) {
    return fmt::format("{}", i);
  });
  text += number_row("SP level: ", pages, width,
                     [](const RecordView& page, std::size_t) { return page.text("level"); });
  text += number_row("SP entry: ", pages, width,
                     [](const RecordView& page, std::size_t) { return page.text("idx"); });
  return text + step_lines(batch);
}

}  // namespace kvmscope
