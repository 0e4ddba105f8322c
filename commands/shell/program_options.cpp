#include "commands/shell/program_options.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

#include <CLI/CLI.hpp>

#include "commands/shell/arguments.hpp"
#include "core/base/error.hpp"
#include "core/types/pack.hpp"

namespace kvmscope {
namespace {

enum class FileKind { unknown, dump, debug };

FileKind kind_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::array<char, 18> head{};
  file.read(head.data(), head.size());
  const std::string_view bytes(head.data(), static_cast<std::size_t>(file.gcount()));
  for (const std::string_view signature : {"KDUMP   ", "DISKDUMP", "makedumpfile"})
    if (bytes.starts_with(signature)) return FileKind::dump;
  if (looks_like_pack(bytes)) return FileKind::debug;
  if (!bytes.starts_with("\x7f"
                         "ELF") ||
      bytes.size() < head.size())
    return FileKind::unknown;
  constexpr char et_core = 4;  // e_type, <elf.h>
  return bytes[16] == et_core && bytes[17] == 0 ? FileKind::dump : FileKind::debug;
}

std::string description(const std::vector<Command>& catalogue) {
  std::string names;
  for (const Command& command : catalogue) names += fmt::format(" {}", command.name());
  return fmt::format("{}\n\nCommands:{}\n`kvmscope help COMMAND` says more.", program_description,
                     names);
}

class Usage : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App*, std::string) const override {
    std::string text;
    for (const std::string_view usage : program_usages)
      text += fmt::format("{} kvmscope{}\n", text.empty() ? "\nUsage:" : "      ", usage);
    return text;
  }
};

// CLI11 calls a text given twice an error; here the last one counts.
CLI::Option* add_text(CLI::App& app, const std::string& names, std::string& text,
                      const std::string& help) {
  return app.add_option(names, text, help)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

// Every use adds one more: options in front of the files and behind them count.
CLI::Option* add_list(CLI::App& app, const std::string& names, std::vector<std::string>& list,
                      const std::string& help) {
  return app
      .add_option_function<std::vector<std::string>>(
          names,
          [&list](const std::vector<std::string>& more) {
            list.insert(list.end(), more.begin(), more.end());
          },
          help)
      ->allow_extra_args(false)
      ->take_all();
}

// The same options as behind a command, from the same table.
void add_output_options(CLI::App& app, OutputOptions& output) {
  for (const OutputOption& option : output_options()) {
    std::string names(option.name);
    if (!option.short_name.empty()) names = fmt::format("{},{}", option.short_name, option.name);
    if (option.value.empty())
      app.add_flag_callback(
          names, [&] { option.set(output, ""); }, std::string(option.help));
    else
      app.add_option_function<std::string>(
             names, [&](const std::string& value) { option.set(output, value); },
             std::string(option.help))
          ->type_name(std::string(option.value))
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }
}

void declare(CLI::App& app, ProgramOptions& options) {
  app.prefix_command();
  app.set_help_flag("-h,--help", "this text");
  add_text(app, "-c,--core", options.core, "the dump to open; without it: the kernel that runs")
      ->type_name("FILE");
  add_list(app, "-s,--symbols", options.symbols,
           "a debug file (vmlinux, *.ko, *.ko.debug, System.map), a layout pack or a folder; "
           "repeatable")
      ->type_name("PATH");
  app.add_flag("--debuginfod", options.debuginfod,
               "fetch debug files that are not at hand from the servers of DEBUGINFOD_URLS");
  app.add_flag("--no-cache", options.no_cache,
               "neither use nor keep what debug files said in an earlier run");
  add_text(app, "--overlay", options.overlay, "lay bytes over the dump, to plant faults")
      ->type_name("FILE");
  add_output_options(app, options.settings.output);
  add_list(app, "-e,--execute", options.lines, "run a command line; repeatable")->type_name("LINE");
  add_list(
      app, "-x,--script", options.scripts,
      "run a file of command lines; repeatable. FILE.lua: a Lua program, with the words behind "
      "it as its arguments")
      ->type_name("FILE");
  app.add_option_function<std::string>(
         "--max-bytes",
         [&](const std::string& text) { options.settings.max_bytes = parse_bytes(text); },
         "how much of a running kernel a command reads at most (256M); 0: no limit")
      ->type_name("N");
  app.add_option_function<std::string>(
         "--max-seconds",
         [&](const std::string& text) { options.settings.max_time = parse_time_limit(text); },
         "how long a command looks at a running kernel at most (10); 0: no limit")
      ->type_name("S");
  app.add_flag("--strict", options.settings.strict,
               "status 4 when a running kernel changed what was read (truth: torn)");
  app.add_option_function<std::string>(
         "--lua-memory",
         [&](const std::string& text) { options.settings.lua_memory = parse_bytes(text); },
         "how much memory a Lua program may have (256M); 0: no limit")
      ->type_name("N");
  app.add_option_function<std::string>(
         "--lua-seconds",
         [&](const std::string& text) { options.settings.lua_time = parse_time_limit(text); },
         "how long a Lua program may run, its sleep() aside (300); 0: no limit")
      ->type_name("S");
  app.add_flag("--unsafe-lua", options.settings.unsafe_lua,
               "Lua programs may use files and processes");
  app.add_flag("--timing", options.settings.timing,
               "time and reads of each phase, to standard error");
  app.add_flag("--version", options.version, "the version, and the dump formats it reads");
}

// Parses options up to the first word that is none; returns the words from there on.
std::vector<std::string> parse_options(std::vector<std::string> words, ProgramOptions& options,
                                       const std::vector<Command>& catalogue) {
  CLI::App app(description(catalogue), "kvmscope");
  declare(app, options);
  app.formatter(std::make_shared<Usage>());
  std::reverse(words.begin(), words.end());  // as CLI11 wants them
  try {
    app.parse(std::move(words));
  } catch (const CLI::CallForHelp&) {
    options.help = app.help();
  } catch (const CLI::Error& error) {
    throw_error(ErrorKind::usage, "{}; see `kvmscope --help`", error.what());
  }
  return app.remaining();
}

// Whether the word is a file to open, and takes it if so.
bool take_file(const std::string& word, ProgramOptions& options,
               const std::vector<Command>& catalogue) {
  if (word.starts_with('-') || match_command(catalogue, word) != nullptr) return false;
  if (!std::filesystem::exists(word)) {
    if (word.find('/') == std::string::npos) return false;
    throw_error(ErrorKind::usage, "no such file: {}", word);
  }
  switch (kind_of_file(word)) {
    case FileKind::dump:
      if (!options.core.empty())
        throw_error(ErrorKind::usage, "two dumps are given: {} and {}", options.core, word);
      options.core = word;
      return true;
    case FileKind::debug: options.symbols.push_back(word); return true;
    case FileKind::unknown: break;
  }
  throw_error(ErrorKind::usage, "{} is neither a command nor a dump nor a kernel's debug file",
              word);
}

bool is_lua(const std::string& path) {
  return path.ends_with(".lua");
}

// -x FILE.lua ARG… is the command `run`.
void take_program(ProgramOptions& options, std::vector<std::string> arguments) {
  if (options.scripts.size() != 1 || !options.lines.empty())
    throw Error(ErrorKind::usage,
                "give a Lua program by itself: -x FILE.lua ARG...; in a script, `run FILE.lua` "
                "runs one");
  options.command = {"run", options.scripts.front(), "--"};
  options.command.insert(options.command.end(), std::make_move_iterator(arguments.begin()),
                         std::make_move_iterator(arguments.end()));
  options.scripts.clear();
}

ProgramOption told(const CLI::Option& option) {
  ProgramOption result{"", "", option.get_type_name(), option.get_description()};
  if (!option.get_snames().empty()) result.short_name = '-' + option.get_snames().front();
  if (!option.get_lnames().empty()) result.name = "--" + option.get_lnames().front();
  if (option.get_expected_max() == 0) result.value.clear();
  return result;
}

}  // namespace

std::vector<ProgramOption> program_options() {
  CLI::App app;
  ProgramOptions unused;
  declare(app, unused);
  std::vector<ProgramOption> all;
  for (const CLI::Option* option : app.get_options()) all.push_back(told(*option));
  return all;
}

ProgramOptions parse_program(const std::vector<std::string>& arguments,
                             const std::vector<Command>& catalogue) {
  ProgramOptions options;
  std::vector<std::string> words = parse_options(arguments, options, catalogue);
  const auto has_program = [&] {
    return std::any_of(options.scripts.begin(), options.scripts.end(), is_lua);
  };
  while (!words.empty() && options.help.empty() && !has_program() &&
         take_file(words.front(), options, catalogue)) {
    words.erase(words.begin());
    words = parse_options(std::move(words), options, catalogue);
  }
  if (has_program()) {
    take_program(options, std::move(words));
    return options;
  }
  if (!words.empty() && words.front().starts_with('-'))
    throw_error(ErrorKind::usage, "unknown option {}; see `kvmscope --help`", words.front());
  if (!words.empty() && !(options.lines.empty() && options.scripts.empty()))
    throw_error(ErrorKind::usage, "give either a command or -e and -x, not both");
  options.command = std::move(words);
  return options;
}

}  // namespace kvmscope
