// set: list or change how results look and what the shell does.

#include "commands/catalogue.hpp"
#include "commands/shell/session.hpp"

namespace kvmscope {
namespace {

void show(const Setting& setting, const Settings& settings, RowSink& rows) {
  rows.add({{std::string(setting.name), setting.get(settings), std::string(setting.help)}});
}

void change(Session& session, const Arguments& args, RowSink& rows) {
  Settings& settings = session.settings();
  const std::optional<std::string> name = args.text("NAME");
  const std::optional<std::string> value = args.text("VALUE");
  if (!name) {
    for (const Setting& setting : all_settings()) show(setting, settings, rows);
  } else if (!value) {
    show(find_setting(*name), settings, rows);
  } else {
    find_setting(*name).set(settings, *value);
  }
}

}  // namespace

Command set() {
  return {
      .names = {"set"},
      .summary = "list or change settings",
      .needs = Needs::nothing,
      .arguments = {{"NAME", ArgumentKind::setting, "all when left out", true},
                    {"VALUE", ArgumentKind::text, "shows the setting when left out", true}},
      .columns = {{"setting", ColumnKind::text, "its name"},
                  {"value", ColumnKind::text, "what it is now"},
                  {"help", ColumnKind::text, "what it does"}},
      .view = {.table = {column("SETTING", "setting"), column("VALUE", "value"),
                         column("HELP", "help")}},
      .keys = {"setting"},
      .examples = {"set", "set format json", "set pager off", "set columns \"\""},
      .run = change,
  };
}

}  // namespace kvmscope
