// A renderer turns a stream of records into one format.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "commands/output/messages.hpp"
#include "commands/output/output.hpp"
#include "commands/output/record.hpp"
#include "commands/output/view.hpp"

namespace kvmscope {

// What the options that shape output say.
struct OutputOptions {
  std::string format = "table";
  std::string columns = {};  // -o: "a,b", "+a", "all"; empty: the default ones
  std::string sort = {};     // --sort: "COL", "-COL", "COL:desc"; empty: as they come
  bool header = true;
  bool raw_numbers = false;  // JSON numbers instead of hex strings
  bool drgn = false;  // what drgn and crash get at the records' objects with, instead of them
};

// One result to render. Columns and view are borrowed for the renderer's life.
struct RenderJob {
  std::span<const Column> columns;
  const View* view = nullptr;
  OutputOptions options;
  std::string target;  // for reports; empty: none
  // For reports: how far the values can be trusted. None: truth() will say it at the end.
  std::optional<std::string> truth;
  std::string time;  // for reports: UTC, ISO 8601
  bool color = false;
  bool terminal = false;
  bool screen = false;  // on a terminal of its own: a round replaces the one before it
};

// How a stream of events ended. Its keys are not those of the records before it.
struct Ending {
  std::vector<Column> columns;
  Record record;
  std::string text;  // the same for a person
};

class Renderer {
 public:
  Renderer(const RenderJob& job, Output& out, Messages& messages)
      : job_(job), out_(out), messages_(messages) {}
  Renderer(const Renderer&) = delete;
  Renderer& operator=(const Renderer&) = delete;
  virtual ~Renderer() = default;

  const RenderJob& job() const { return job_; }

  // As in RowSink::add.
  virtual void record(Record record, std::optional<bool> last_sibling) = 0;
  virtual void enter() {}
  virtual void leave() {}
  virtual void note(const std::string& text) { messages_.note(text); }
  virtual void footer(const std::string&) {}
  // Sends what came so far. Not with --sort, which needs all records.
  virtual void flush() { out_.flush(); }
  // jsonl has a line of its own for it: {"end": true, …}.
  virtual void end(const Ending& ending) { note(ending.text); }
  // The records up to the next flush() are a result of their own, under this title.
  virtual void start_round(const std::string&) {}
  // A record that was `before` in the round before.
  virtual void changed_record(Record record, const Record&) {
    this->record(std::move(record), std::nullopt);
  }
  // The error that ends this stream; it is reported elsewhere, too.
  virtual void failure(const std::string&) {}
  // How far the values can be trusted, all in all. Before finish().
  virtual void truth(const std::string&) {}
  // Closes the stream so that it is well-formed, however early it ends. Call it once.
  virtual void finish() {}

 protected:
  RecordView view_of(const Record& record) const { return {job_.columns, record}; }
  // Notes of a damaged record, where the format has no place for them.
  void show_notes(const Record& record);

  const RenderJob job_;
  Output& out_;
  Messages& messages_;
};

struct OutputFormat {
  std::string_view name;
  std::string_view help;
  std::unique_ptr<Renderer> (*make)(const RenderJob& job, Output& out, Messages& messages);
};
const std::vector<OutputFormat>& formats();
// Throws Error{usage} that lists the formats.
const OutputFormat& find_format(std::string_view name);

// The renderer for a job. Throws Error{usage}: no such format, no such column in -o or --sort.
std::unique_ptr<Renderer> make_renderer(const RenderJob& job, Output& out, Messages& messages);

// Now, in UTC: "2026-01-31T12:00:00Z".
std::string utc_time();

}  // namespace kvmscope
