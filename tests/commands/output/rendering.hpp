// Renders records of a small made-up command, for tests of the formats.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "commands/output/renderer.hpp"
#include "commands/output/row_sink.hpp"

namespace kvmscope {

struct Rendered {
  std::string out;
  std::string errors;
  int status = 0;
};

// A page: its address, level, flags, and the pages that point to it.
inline const std::vector<Column>& page_columns() {
  using K = ColumnKind;
  static const std::vector<Column> columns = {
      {"sp", K::hex, "address"},
      {"level", K::count, "of its entries"},
      {"comm", K::text, "owner"},
      {"unsync", K::flag, "not in step"},
      {"flags", K::words, "words"},
      {"parents", K::records, "what points to it", {{"sp", K::hex, ""}, {"idx", K::number, ""}}}};
  return columns;
}

inline Record page(std::uint64_t sp, std::uint64_t level, std::string comm = "qemu") {
  return {{Hex(sp), level, std::move(comm), false, Words{}, Records{}}};
}

struct RenderSetup {
  OutputOptions options = {};
  View view = {};
  std::vector<Column> columns = page_columns();
  bool color = false;
};

// What `body` sends, rendered.
inline Rendered render(const RenderSetup& setup, const std::function<void(RowSink&)>& body) {
  Output out;
  Output errors;
  Messages messages(errors, false, false);
  const RenderJob job{.columns = setup.columns,
                      .view = &setup.view,
                      .options = setup.options,
                      .target = "vmcore",
                      .truth = "dump",
                      .time = "2026-01-31T12:00:00Z",
                      .color = setup.color};
  const std::unique_ptr<Renderer> renderer = make_renderer(job, out, messages);
  RowSink rows(*renderer);
  body(rows);
  renderer->finish();
  return {out.text(), errors.text(), rows.status()};
}

inline Rendered render_as(std::string format, const std::function<void(RowSink&)>& body) {
  return render({.options = {.format = std::move(format)}}, body);
}

// One record with everything that a record can have.
inline void add_everything(RowSink& rows) {
  rows.add({{Hex(0xffff888000001000), std::uint64_t{4}, "a \"b\", c", true, Words{"A", "D"},
             Records{{{Hex(0x10), std::int64_t{-1}}}, {{Hex(0x20), std::int64_t{7}}}}}});
  rows.add({.values = {Value{}, Lost{"no such memory"}, Value{}, Value{}, Words{},
                       Records{{.values = {Lost{"left out"}, Value{}}, .notes = {"inner"}}}},
            .notes = {"the list ends early"}});
}

}  // namespace kvmscope
