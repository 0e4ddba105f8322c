// history: the lines typed so far, in this session and before.

#include <algorithm>

#include "commands/catalogue.hpp"
#include "commands/shell/session.hpp"

namespace kvmscope {
namespace {

constexpr std::uint64_t usual_lines = 50;

void list_history(Session& session, const Arguments& args, RowSink& rows) {
  const std::vector<std::string>& lines = session.history().lines();
  const std::uint64_t wanted = args.number("COUNT").value_or(usual_lines);
  const std::size_t first = lines.size() - std::min<std::uint64_t>(wanted, lines.size());
  for (std::size_t i = first; i < lines.size(); ++i) rows.add({{std::uint64_t{i + 1}, lines[i]}});
}

}  // namespace

Command history() {
  return {
      .names = {"history"},
      .summary = "list the lines typed so far",
      .needs = Needs::nothing,
      .arguments = {{"COUNT", ArgumentKind::number, "how many, the newest ones; 50 when left out",
                     true}},
      .columns = {{"number", ColumnKind::count, "counted from 1, the oldest"},
                  {"line", ColumnKind::text, "as it was typed"}},
      .view = {.table = {number_column("NUMBER", "number"), column("LINE", "line")}},
      .examples = {"history", "history 200 | grep roots"},
      .run = list_history,
  };
}

}  // namespace kvmscope
