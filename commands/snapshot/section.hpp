// A list of records in the document, made as a command makes them.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "commands/output/json_document.hpp"
#include "commands/shell/live_reading.hpp"
#include "commands/shell/session.hpp"
#include "commands/snapshot/document.hpp"

namespace kvmscope::snapshots {

class Sections {
 public:
  Sections(Session& session, JsonDocument& document)
      : session_(session), document_(document), reading_(session) {}

  JsonDocument& document() { return document_; }

  // Runs `body`, whose records become the items of a list. What it notes, and what it throws about
  // data or limits, becomes a note in the document; then the section is among the incomplete.
  void list(std::string_view key, const std::vector<Column>& columns,
            const std::function<void(RowSink&)>& body);
  // The records of a command line with no list around them.
  void records(std::string_view key, const std::string& line,
               const std::function<void(Record, const std::vector<Column>&)>& take);
  // Runs `body` in the same way; it has no records. Returns whether nothing ended it.
  bool quietly(std::string_view key, const std::function<void(RowSink&)>& body);
  // The records of a command line as a list.
  void list_of(std::string_view key, const std::string& line);

  // Sections that may lack something since this was asked for last.
  Words take_incomplete();
  Outcome& outcome() { return outcome_; }

 private:
  using Take = std::function<void(Record, const std::vector<Column>&)>;
  bool run(std::string_view key, std::vector<Column> columns, const Take& take,
           const std::function<void(RowSink&)>& body);
  void end(std::string_view key, const std::optional<Error>& failure, const RowSink& rows,
           const std::vector<std::string>& notes);

  Session& session_;
  JsonDocument& document_;
  LiveReading reading_;
  Outcome outcome_;
  Words incomplete_;
  bool limit_reached_ = false;
};

}  // namespace kvmscope::snapshots
