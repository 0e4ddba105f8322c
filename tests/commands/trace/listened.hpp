// The records and messages of a listener that is given hits, without a kernel to trace.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "commands/command.hpp"
#include "commands/output/renderer.hpp"

namespace kvmscope::tracing {

// A sink of a command's records in one format.
class Listened {
 public:
  Listened(Command command, const std::string& format)
      : command_(std::move(command)),
        renderer_(make_renderer({.columns = command_.columns,
                                 .view = &command_.view,
                                 .options = {.format = format},
                                 .target = "",
                                 .truth = "",
                                 .time = ""},
                                out_, messages_)),
        rows_(*renderer_) {}

  RowSink& rows() { return rows_; }
  std::string text() {
    renderer_->finish();
    return out_.text();
  }
  nlohmann::json json() { return nlohmann::json::parse(text()); }

 private:
  Command command_;
  Output out_;
  Output errors_;
  Messages messages_{errors_, false, false};
  std::unique_ptr<Renderer> renderer_;
  RowSink rows_;
};

}  // namespace kvmscope::tracing
