#include "commands/shell/runner.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>

#include "commands/output/escape.hpp"
#include "commands/shell/arguments.hpp"
#include "commands/shell/caught.hpp"
#include "commands/shell/destination.hpp"
#include "commands/shell/line_error.hpp"
#include "commands/shell/live_reading.hpp"
#include "commands/shell/timed_renderer.hpp"
#include "core/base/interrupt.hpp"
#include "core/kernel/kernel.hpp"

namespace kvmscope {
namespace {

constexpr int status_interrupted = 130;
constexpr unsigned most_nested_scripts = 16;

// The form of a line's records: the command's own, that of a mode, or `shape`. On a kernel that
// runs each record has its truth behind the command's fields.
class Form {
 public:
  Form(Session& session, const ParsedLine& parsed, std::optional<Mode> shape)
      : columns_(parsed.command->columns),
        view_(parsed.command->view),
        live_(has_truth(session, *parsed.command)) {
    for (const Mode& mode : parsed.command->modes) {
      if (!parsed.args.has(mode.option)) continue;
      columns_ = mode.columns;
      view_ = mode.view;
    }
    if (shape) {
      columns_ = std::move(shape->columns);
      view_ = std::move(shape->view);
    }
    if (live_) add_truth(columns_, view_);
  }

  bool live() const { return live_; }
  RenderJob job(Session& session, const ParsedLine& parsed) const {
    const bool screen =
        parsed.command->repaints && session.console().terminal && parsed.output.format == "table";
    return {.columns = columns_,
            .view = &view_,
            .options = parsed.output,
            .target = session.uses_target() ? session.target_path() : "",
            .truth = live_ ? std::nullopt : std::optional(other_truth(session)),
            .time = utc_time(),
            .color = session.console().color,
            .terminal = session.console().terminal,
            .screen = screen};
  }

 private:
  // Of what is no memory that changes while it is read.
  static std::string other_truth(Session& session) {
    if (!session.uses_target()) return "";
    return session.is_live() ? "live" : "dump";
  }

  std::vector<Column> columns_;
  View view_;
  bool live_;
};

// An error in a command's text points into the line, not into the text.
void move_column(Error& error, const ParsedLine& parsed) {
  if (error.column()) error.set_column(*error.column() + parsed.text_start);
}

// A line, from its text to its status.
class Line {
 public:
  Line(Session& session, std::string_view text, std::string_view where)
      : session_(session), text_(text), where_(where) {}

  int run() {
    return report([&] {
      const SplitLine split = split_line(text_);
      const std::vector<Word> words = split_words(split.command);
      if (!words.empty()) return run(split.command, words, split.redirection);
      if (split.redirection.kind != Redirection::Kind::none)
        fail_at(split.redirection.at, "there is no command whose output could go there");
    });
  }

  int run_words(const std::vector<Word>& words) {
    return report([&] { run(text_, words, {}); });
  }

 private:
  template <typename Body>
  int report(Body&& body) {
    const std::optional<Error> error = caught(body);
    if (reader_gone_) return 0;
    if (!error) return status_;
    show(*error);
    return worse_status(status_, exit_status(error->kind()));
  }

  void run(std::string_view text, const std::vector<Word>& words, const Redirection& redirection) {
    ParsedLine parsed = parse_line(session_.catalogue(), text, words, session_.settings().output);
    timing_ = session_.settings().timing;
    session_.clock().start();
    session_.console().messages.start_progress();
    check_rights(*parsed.command);
    open_target(*parsed.command);
    Console& console = session_.console();
    const bool paged = console.interactive && console.terminal && session_.settings().pager &&
                       !parsed.command->streams;
    std::optional<Error> failure;
    {
      Destination destination(console, session_.output_files(), redirection, paged);
      failure = run_command(parsed);
      if (!failure) failure = caught([&] { destination.finish(); });
      reader_gone_ = console.out->reader_gone();
    }
    show_timing();
    if (failure) throw *failure;
  }

  void open_target(const Command& command) {
    const std::string changed = session_.renew();
    if (!changed.empty())
      session_.console().messages.note(fmt::format("{}: {}, $variables are forgotten", changed,
                                                   session_.gave_up_root()
                                                       ? "what was found in it is no longer true"
                                                       : "kvmscope looks for everything anew"));
    if (command.needs == Needs::target) session_.kernel();
  }

  void check_rights(const Command& command) const {
    if (command.needs_root && session_.gave_up_root())
      throw_error(ErrorKind::unavailable,
                  "{} needs root, which kvmscope gave up when it had opened the target: start it "
                  "from your own shell, `sudo kvmscope {}`",
                  command.full_name(), text_);
  }

  void run_command(const ParsedLine& parsed, const Form& form, RowSink& rows) {
    const PhaseClock::Scope scope(session_.clock(), Phase::walk);
    if (form.live())
      run_reading(session_, parsed, rows);
    else
      parsed.command->run(session_, parsed.args, rows);
  }

  // Renders one command. The stream is closed however the command ends.
  std::optional<Error> run_command(ParsedLine& parsed) {
    std::optional<Mode> shape;
    if (parsed.command->shape) {
      std::optional<Error> failure =
          caught([&] { shape = parsed.command->shape(session_, parsed.args, parsed.output); });
      if (failure) {
        move_column(*failure, parsed);
        return failure;
      }
    }
    const Form form(session_, parsed, std::move(shape));
    const RenderJob job = form.job(session_, parsed);
    std::unique_ptr<Renderer> renderer =
        make_renderer(job, *session_.console().out, session_.console().messages);
    if (timing_) renderer = make_timed_renderer(job, std::move(renderer), session_);
    RowSink rows(*renderer);
    std::optional<Error> failure = caught([&] { run_command(parsed, form, rows); });
    status_ = rows.status();
    if (form.live()) {
      if (failure || rows.torn() || status_ != 0)
        if (const auto gone = caught([&] { check_kvm_is_there(session_); })) failure = gone;
      const bool torn =
          rows.torn() || (failure && exit_status(failure->kind()) == exit_status(ErrorKind::torn));
      renderer->truth(std::string(torn ? torn_text : stable_text));
    }
    if (rows.torn() && session_.settings().strict)
      status_ = worse_status(status_, exit_status(ErrorKind::torn));
    if (failure) {
      move_column(*failure, parsed);
      renderer->failure(failure->what());
    }
    const std::optional<Error> unfinished = caught([&] {
      renderer->finish();
      session_.console().out->flush();
    });
    return failure ? failure : unfinished;
  }

  void show_timing() {
    if (!timing_) return;
    for (const std::string& line : session_.clock().report())
      session_.console().messages.line(line);
  }

  void show(const Error& error) {
    Messages& messages = session_.console().messages;
    messages.error(where_, error.what());
    if (!error.column() || *error.column() > text_.size()) return;
    const std::size_t width = display_width(escape_text(text_.substr(0, *error.column())));
    messages.line(fmt::format("  {}", text_));
    messages.line(fmt::format("  {:{}}^", "", width));
  }

  Session& session_;
  std::string_view text_;
  std::string_view where_;
  bool timing_ = false;  // of this line, even if it is `set timing`
  int status_ = 0;
  bool reader_gone_ = false;
};

// Whether lines end here: nobody reads what the others would say, either.
bool ends(Session& session, int status) {
  return !goes_on(status) || session.quitting() || session.console().out->reader_gone();
}

}  // namespace

int run_line(Session& session, std::string_view line, std::string_view where) {
  return Line(session, line, where).run();
}

int run_words(Session& session, const std::vector<std::string>& words) {
  const PlacedWords placed = place_words(words);
  return Line(session, placed.line, "").run_words(placed.words);
}

bool goes_on(int status) {
  return status == 0 || status == 1 || status == 4 || status == 5;
}

int run_lines(Session& session, std::istream& lines, std::string_view name) {
  int status = 0;
  std::size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::string where = fmt::format("{}:{}", name, ++number);
    const int one = run_line(session, line, where);
    status = worse_status(status, one);
    if (ends(session, one)) return status;
  }
  // Ctrl-C while we waited for a line.
  return interrupted() ? status_interrupted : status;
}

int run_lines(Session& session, const std::vector<std::string>& lines, std::string_view name) {
  int status = 0;
  for (const std::string& line : lines) {
    const int one = run_line(session, line, name);
    status = worse_status(status, one);
    if (ends(session, one)) return status;
  }
  return status;
}

Script open_script(Session& session, const std::string& path) {
  Script script{path, std::ifstream(path)};
  // A folder can be opened, but not read.
  if (!script.lines ||
      (script.lines.peek() == std::ifstream::traits_type::eof() && script.lines.bad()))
    throw_error(ErrorKind::usage, "cannot read {}: {}", path, std::strerror(errno));
  if (session.open_log() != nullptr) session.open_log()->add(path, OpenedFor::reading);
  return script;
}

int run_script(Session& session, const std::string& path) {
  Script script = open_script(session, path);
  return run_script(session, script);
}

int run_script(Session& session, Script& script) {
  if (session.script_depth() == most_nested_scripts)
    throw_error(ErrorKind::usage, "{} scripts run each other: is there a loop?",
                most_nested_scripts);
  ++session.script_depth();
  const int status = run_lines(session, script.lines, script.path);
  --session.script_depth();
  return status;
}

}  // namespace kvmscope
