#include "commands/shell/collect.hpp"

#include "commands/shell/caught.hpp"
#include "commands/shell/live_reading.hpp"
#include "core/base/interrupt.hpp"

namespace kvmscope {
namespace {

class Collector : public Renderer {
 public:
  Collector(const RenderJob& job, Output& out, Messages& messages, Collected& collected)
      : Renderer(job, out, messages), collected_(collected) {}

  void record(Record record, std::optional<bool>) override {
    collected_.records.push_back(std::move(record));
  }
  void note(const std::string& text) override { collected_.notes.push_back(text); }

 private:
  Collected& collected_;
};

const Mode* chosen_mode(const ParsedLine& parsed) {
  for (const Mode& mode : parsed.command->modes)
    if (parsed.args.has(mode.option)) return &mode;
  return nullptr;
}

}  // namespace

ParsedLine parse_inner_line(Session& session, std::string_view line,
                            const OutputOptions& defaults) {
  const std::vector<Word> words = split_words(line);
  if (words.empty()) throw Error(ErrorKind::usage, "COMMAND is missing");
  return parse_line(session.catalogue(), line, words, defaults);
}

std::vector<std::string_view> keys_of(const ParsedLine& parsed) {
  // A mode's records are others.
  return chosen_mode(parsed) == nullptr ? parsed.command->keys : std::vector<std::string_view>();
}

Mode mode_of(Session& session, const ParsedLine& parsed) {
  Mode mode{.option = "", .columns = parsed.command->columns, .view = parsed.command->view};
  if (const Mode* chosen = chosen_mode(parsed)) mode = *chosen;
  if (parsed.command->shape) {
    OutputOptions options = parsed.output;
    if (std::optional<Mode> shaped = parsed.command->shape(session, parsed.args, options))
      mode = std::move(*shaped);
  }
  if (has_truth(session, *parsed.command)) add_truth(mode.columns, mode.view);
  return mode;
}

std::optional<Error> run_inner(Session& session, const ParsedLine& parsed, RowSink& rows) {
  return caught([&] {
    if (const std::string changed = session.renew(); !changed.empty()) rows.note(changed);
    if (parsed.command->needs == Needs::target) session.kernel();
    if (has_truth(session, *parsed.command))
      run_reading(session, parsed, rows);
    else
      parsed.command->run(session, parsed.args, rows);
  });
}

Collected collect(Session& session, const ParsedLine& parsed) {
  const Mode mode = mode_of(session, parsed);
  Collected collected;
  Output nowhere;
  RenderJob job;
  job.columns = mode.columns;
  job.options = parsed.output;
  Collector collector(job, nowhere, session.console().messages, collected);
  RowSink rows(collector);
  collected.failure = run_inner(session, parsed, rows);
  if (collected.failure && collected.failure->kind() == ErrorKind::interrupted)
    throw Error(*collected.failure);
  return collected;
}

}  // namespace kvmscope
