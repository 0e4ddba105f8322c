// watch: run a command again and again and point out what changed, or sample the vCPUs' roots.

#include "commands/watch.hpp"

#include "commands/catalogue.hpp"
#include "commands/changes.hpp"
#include "commands/output/terminal.hpp"
#include "commands/sampled_roots.hpp"
#include "commands/shell/collect.hpp"
#include "commands/shell/session.hpp"
#include "core/base/interrupt.hpp"

namespace kvmscope {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::nanoseconds usual_period = 2s;
// On a screen: the title, the header, and the line that says what does not fit.
constexpr std::size_t other_lines = 4;

const std::vector<Column>& own_columns() {
  using K = ColumnKind;
  static const std::vector<Column> columns = {
      {"round", K::count, "counted from 1"},
      {"time", K::text, "when the round began, UTC"},
      {"change", K::text, "first (of round 1), new, gone, changed; same with --all"},
      {"fields", K::words, "which fields of a changed record are not as in the round before"}};
  return columns;
}

std::string_view sign_of(const RecordView& record) {
  for (const Change change : {Change::fresh, Change::gone, Change::changed})
    if (record.text("change") == name_of(change).word) return name_of(change).sign;
  return "";
}

bool redraws(Session& session, const OutputOptions& options) {
  return session.console().terminal && options.format == "table";
}

void check_watchable(const ParsedLine& inner) {
  const Command& command = *inner.command;
  if (command.columns.empty() || command.streams || command.needs_root)
    throw_error(ErrorKind::usage, "{} has no records that could be compared from round to round",
                command.name());
}

// The inner command's records with our fields before them.
std::optional<Mode> watch_shape(Session& session, const Arguments& args, OutputOptions& options) {
  if (args.has("--hz")) return std::nullopt;
  const ParsedLine inner = parse_inner_line(session, *args.text("COMMAND"), options);
  check_watchable(inner);
  options = inner.output;
  if (options.format == "tree" || options.format == "dot")
    throw_error(ErrorKind::usage, "watch compares records and has no {}: use another format",
                options.format);
  const Mode shown = mode_of(session, inner);
  Mode mode{.option = "", .columns = own_columns(), .view = {}};
  mode.columns.insert(mode.columns.end(), shown.columns.begin(), shown.columns.end());
  if (shown.view.block) {
    mode.view.block = [block = shown.view.block](const RecordView& record) {
      const std::string_view sign = sign_of(record);
      return fmt::format("{}{}{}", sign, sign.empty() ? "" : " ", block(record));
    };
  }
  const TableColumn sign{"", Align::left,
                         [](const RecordView& record) { return std::string(sign_of(record)); }};
  mode.view.table = {sign};
  if (!redraws(session, options))
    mode.view.table.insert(mode.view.table.begin(), column("TIME", "time"));
  for (const TableColumn& shown_column : shown.view.table) mode.view.table.push_back(shown_column);
  if (shown.view.table.empty())
    for (const Column& field : shown.columns)
      mode.view.table.push_back(column(field.name, field.name));
  return mode;
}

struct Tally {
  std::size_t fresh = 0, gone = 0, changed = 0;

  explicit Tally(const std::vector<ChangedRecord>& records) {
    for (const ChangedRecord& record : records) {
      fresh += record.change == Change::fresh ? 1 : 0;
      gone += record.change == Change::gone ? 1 : 0;
      changed += record.change == Change::changed ? 1 : 0;
    }
  }
  bool none() const { return fresh + gone + changed == 0; }
};

class Watch {
 public:
  Watch(Session& session, const Arguments& args, RowSink& rows)
      : session_(session),
        rows_(rows),
        line_(*args.text("COMMAND")),
        inner_(parse_inner_line(session, line_, session.settings().output)),
        finder_(mode_of(session, inner_).columns, keys_of(inner_)),
        period_(args.seconds("--every").value_or(usual_period)),
        duration_(args.seconds("--for")),
        redraws_(rows.on_screen()),
        all_(args.has("--all") || redraws_) {}

  void run() {
    rows_.ignore_interrupts(true);
    const bool stopped = interrupted_in([&] {
      for (Ticks ticks(period_, duration_); ticks.wait();) show_round();
    });
    if (stopped) clear_interrupted();
  }

 private:
  void show_round() {
    ++round_;
    const std::string time = utc_time();
    Collected collected = collect(session_, inner_);
    // What fails at once is the user's to mend; later it is news: a VM went away.
    if (collected.failure && round_ == 1) throw Error(*collected.failure);
    const std::vector<ChangedRecord> records = finder_.next(std::move(collected.records));
    const Tally tally(records);
    rows_.start_round(title(time, tally));
    show_records(records, time);
    for (const std::string& note : collected.notes) note_once(note);
    if (collected.failure) note_once(collected.failure->what());
    rows_.flush();
  }

  std::string title(const std::string& time, const Tally& tally) const {
    const double seconds = std::chrono::duration<double>(period_).count();
    const std::string what = round_ == 1    ? ""
                             : tally.none() ? "   no change"
                                            : fmt::format("   {} changed, {} new, {} gone",
                                                          tally.changed, tally.fresh, tally.gone);
    return fmt::format("Every {:g} s: {}   round {}, {}{}", seconds, line_, round_, time, what);
  }

  // On a screen that is too small those that changed come first.
  void show_records(const std::vector<ChangedRecord>& records, const std::string& time) {
    const std::size_t lines = terminal_size().lines;
    const std::size_t room =
        redraws_ ? std::max(lines, other_lines + 1) - other_lines : records.size();
    const auto is_news = [](const ChangedRecord& record) {
      return record.change != Change::same && record.change != Change::first;
    };
    std::size_t shown = 0;
    const bool all_fit = records.size() <= room;
    for (const bool news : {true, false}) {
      for (const ChangedRecord& record : records) {
        if (!all_fit && is_news(record) != news) continue;
        if (!all_ && record.change == Change::same) continue;
        if (shown == room) break;
        ++shown;
        show_record(record, time);
      }
      if (all_fit) break;
    }
    if (redraws_ && shown < records.size())
      rows_.footer(fmt::format("… and {} more: the screen is full", records.size() - shown));
  }

  void show_record(const ChangedRecord& changed, const std::string& time) {
    const auto with_ours = [&](const Record& record, Words fields) {
      Record whole{{round_, time, std::string(name_of(changed.change).word), std::move(fields)},
                   record.notes};
      whole.values.insert(whole.values.end(), record.values.begin(), record.values.end());
      return whole;
    };
    Record record = with_ours(changed.record, Words(changed.fields.begin(), changed.fields.end()));
    if (changed.before)
      rows_.add_changed(std::move(record), with_ours(*changed.before, {}));
    else
      rows_.add(std::move(record));
  }

  // The same note in every round would fill the screen.
  void note_once(const std::string& text) {
    if (text == last_note_) return;
    last_note_ = text;
    rows_.note(fmt::format("round {}: {}", round_, text));
  }

  Session& session_;
  RowSink& rows_;
  std::string line_;
  ParsedLine inner_;
  ChangeFinder finder_;
  std::chrono::nanoseconds period_;
  std::optional<std::chrono::nanoseconds> duration_;
  bool redraws_;
  bool all_;  // records that did not change, too
  std::uint64_t round_ = 0;
  std::string last_note_;
};

void run_watch(Session& session, const Arguments& args, RowSink& rows) {
  if (args.has("--hz")) return sample_roots(session, args, rows);
  Watch(session, args, rows).run();
}

}  // namespace

Command watch() {
  using K = ArgumentKind;
  return {
      .names = {"watch"},
      .summary = "run a command again and again and point out what changed, or sample roots",
      .details =
          "On a terminal each round replaces the one before it: + is new, * changed, - gone.\n"
          "Elsewhere round 1 shows all records, and later rounds those that changed. Ctrl-C ends "
          "it.\n"
          "\n"
          "watch roots [VM] --hz N samples the roots of every vCPU N times a second, each sample "
          "of\n"
          "a vCPU with one read, and tells at the end: how often the root changed, and whether "
          "the\n"
          "sample before had the new root among its prev_roots (KNOWN) or not (NEW).\n"
          "\n"
          "A sample is one copy of memory that the vCPU changes, and looking again would find "
          "another\n"
          "moment. One word is what it was; a root and its pgd are two, and KVM moves roots to and "
          "from\n"
          "prev_roots in steps. A sample whose current root is among its prev_roots too was read "
          "between\n"
          "two of them: it is counted as torn, compared with nothing, and makes the record's truth "
          "torn.\n"
          "Stable says that no sample shows it. Any other copy of a switch half made costs at most "
          "one\n"
          "change too many, so a single NEW among many KNOWN proves nothing.",
      .arguments = {{"COMMAND", K::command_line, "a command with its arguments"}},
      .options = {{"--every", "S", K::seconds,
                   "from the start of a round to the next; 2 when left out"},
                  {"--for", "S", K::seconds,
                   "end after so many seconds; until Ctrl-C when left out"},
                  {"--all", "", K::text, "records that did not change, too (a screen has them)"},
                  {"--hz", "N", K::number, "with the command roots: take N samples a second"}},
      .columns = own_columns(),
      .modes = {sampling_mode()},
      .shape = watch_shape,
      .streams = true,
      .repaints = true,
      .examples = {"watch roots 0", "watch --every 0.5 vms", "watch --for 60 pages 0 -f jsonl",
                   "watch roots 0 --hz 100 --for 10"},
      .run = run_watch,
  };
}

}  // namespace kvmscope
