#include "commands/manual.hpp"

#include <fmt/ranges.h>

#include "commands/output/roff.hpp"
#include "commands/shell/program_options.hpp"
#include "commands/usage.hpp"

namespace kvmscope {
namespace {

// The options that many commands have are told once; a command names the page's section.
class Manual {
 public:
  explicit Manual(const std::vector<Command>& catalogue)
      : catalogue_(catalogue), page_("kvmscope", "1", "kvmscope " KVMSCOPE_VERSION) {}

  std::string text() {
    head();
    options();
    commands();
    entries("EXIT STATUS", manual_statuses());
    entries("FILES", manual_files());
    entries("ENVIRONMENT", manual_environment());
    examples();
    page_.section("SEE ALSO");
    page_.line(".BR crash (8),\n.BR debuginfod (8),\n.BR makedumpfile (8),\n.BR virsh (1)");
    return page_.text();
  }

 private:
  void head() {
    page_.section("NAME");
    page_.line(fmt::format("kvmscope \\- {}", roff_text(program_summary)));
    page_.section("SYNOPSIS");
    for (const std::string_view usage : program_usages) {
      page_.paragraph();
      page_.line(roff_bold("kvmscope") + roff_text(usage));
    }
    page_.section("DESCRIPTION");
    page_.paragraphs(program_description);
  }

  void options() {
    page_.section("OPTIONS");
    for (const ProgramOption& option : program_options())
      item(fmt::format("{}{}{}", option.short_name, option.short_name.empty() ? "" : ", ",
                       option.name),
           option.value, option.help);
    page_.paragraphs(output_options_text());
  }

  static std::string output_options_text() {
    std::vector<std::string_view> names;
    for (const OutputOption& option : output_options()) names.push_back(option.name);
    return fmt::format("{} work behind a command that has fields, too.", fmt::join(names, ", "));
  }

  void item(std::string_view names, std::string_view value, std::string_view help) {
    page_.item(value.empty() ? roff_bold(names)
                             : fmt::format("{} {}", roff_bold(names), roff_italic(value)),
               help);
  }

  void commands() {
    page_.section("COMMANDS");
    for (const Command& command : catalogue_) {
      one(command);
      for (const Command& sub : command.subcommands) one(sub);
    }
  }

  void one(const Command& command) {
    page_.subsection(usage(command));
    page_.paragraphs(fmt::format("{}.", command.summary));
    if (!command.details.empty()) page_.paragraphs(command.details);
    if (command.names.size() > 1)
      page_.paragraphs(fmt::format(
          "Also called {}.", fmt::join(command.names.begin() + 1, command.names.end(), ", ")));
    if (command.subcommands.empty()) page_.paragraphs(needs_text(command));
    for (const Argument& argument : command.arguments)
      page_.item(roff_italic(argument.name), argument.help);
    for (const Option& option : command.options) item(option.name, option.value, option.help);
    fields("Fields", command.columns);
    for (const Mode& mode : command.modes)
      fields(fmt::format("Fields with {}", mode.option), mode.columns);
    if (command.examples.empty()) return;
    page_.label("Examples");
    page_.literal(fmt::format("{}", fmt::join(command.examples, "\n")));
  }

  void fields(std::string_view title, std::span<const Column> columns) {
    if (columns.empty()) return;
    page_.label(title);
    for (const Column& column : columns)
      if (!column.form_only) page_.item(roff_bold(column.name), column.help);
  }

  void entries(std::string_view title, const std::vector<ManualEntry>& entries) {
    page_.section(title);
    for (const ManualEntry& entry : entries) page_.item(roff_bold(entry.name), entry.text);
  }

  void examples() {
    static constexpr ManualEntry all[] = {
        {"kvmscope roots", "the kernel that runs, as root"},
        {"kvmscope -c VMCORE -s FOLDER roots 0", "one command on a dump"},
        {"kvmscope -c VMCORE -e 'vms' -e 'roots 0 -f json'", "several"},
        {"kvmscope -c VMCORE", "the shell: completion, history, pipes, pager"},
        {"kvmscope -s kvm.ko layout --save 6.1.pack",
         "a layout pack, for hosts without debug files"},
        {"kvmscope -c VMCORE -x stale_pages.lua",
         "a Lua program; some are in share/kvmscope/examples"},
        {"kvmscope -s kvm.ko layout", "no dump: does this kernel's debug info fit?"},
        {"kvmscope snapshot -o now.json.zst", "for cron; kvmscope diff compares two of them"},
    };
    page_.section("EXAMPLES");
    for (const ManualEntry& example : all) page_.item(roff_bold(example.name), example.text);
  }

  const std::vector<Command>& catalogue_;
  ManualPage page_;
};

}  // namespace

std::string manual(const std::vector<Command>& catalogue) {
  return Manual(catalogue).text();
}

const std::vector<ManualEntry>& manual_statuses() {
  static const std::vector<ManualEntry> all = {
      {"0", "fine; also where there is no VM, and where Ctrl-C ends watch or trace"},
      {"1", "diff --exit-code found differences, audit found an error"},
      {"2", "usage: an unknown command, option, symbol, member, VM or ROOT"},
      {"3", "the target or its debug info cannot be opened, or is of another build"},
      {"4", "some of the result could not be read; what was read is there"},
      {"5", "the kernel's data is corrupt, or of an unknown layout"},
      {"70", "a fault of kvmscope's own"},
      {"130", "interrupted"},
  };
  return all;
}

const std::vector<ManualEntry>& manual_files() {
  static const std::vector<ManualEntry> all = {
      {"/proc/kcore, /proc/kallsyms", "the kernel that runs; read as root, which is then given up"},
      {"/usr/lib/debug, /lib/modules", "where debug files are looked for without -s"},
      {"/sys/kernel/btf", "types of the kernel that runs, where no debug file is at hand"},
      {"~/.local/state/kvmscope/history", "the lines that were typed in the shell"},
      {"~/.cache/kvmscope/layouts", "what debug files said in earlier runs; see --no-cache"},
      {"/etc/default/kvmscope", "settings of the job that takes snapshots for a series"},
      {"/var/log/kvmscope", "where that job keeps the series"},
  };
  return all;
}

const std::vector<ManualEntry>& manual_environment() {
  static const std::vector<ManualEntry> all = {
      {"NO_COLOR", "no colour when it is set and not empty"},
      {"TERM", "no colour when it is dumb"},
      {"PAGER", "shows long results in the shell"},
      {"DEBUGINFOD_URLS", "the servers that --debuginfod asks, blanks between them"},
      {"XDG_STATE_HOME", "where the history is kept instead of ~/.local/state"},
      {"XDG_CACHE_HOME", "where what debug files said is kept instead of ~/.cache"},
      {"HOME", "the home folder of ~/.local/state and ~/.cache"},
      {"SUDO_UID, SUDO_GID", "who kvmscope becomes when it gives up root"},
  };
  return all;
}

}  // namespace kvmscope
