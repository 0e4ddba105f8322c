#include "commands/shell/timed_renderer.hpp"

#include <utility>

namespace kvmscope {
namespace {

class TimedRenderer : public Renderer {
 public:
  TimedRenderer(const RenderJob& job, std::unique_ptr<Renderer> renderer, Session& session)
      : Renderer(job, *session.console().out, session.console().messages),
        renderer_(std::move(renderer)),
        clock_(session.clock()) {}

  void record(Record record, std::optional<bool> last_sibling) override {
    const PhaseClock::Scope scope(clock_, Phase::print);
    renderer_->record(std::move(record), last_sibling);
  }
  void changed_record(Record record, const Record& before) override {
    const PhaseClock::Scope scope(clock_, Phase::print);
    renderer_->changed_record(std::move(record), before);
  }
  void start_round(const std::string& title) override { renderer_->start_round(title); }
  void enter() override { renderer_->enter(); }
  void leave() override { renderer_->leave(); }
  void note(const std::string& text) override { renderer_->note(text); }
  void footer(const std::string& text) override { renderer_->footer(text); }
  void flush() override { renderer_->flush(); }
  void end(const Ending& ending) override { renderer_->end(ending); }
  void failure(const std::string& text) override { renderer_->failure(text); }
  void truth(const std::string& text) override { renderer_->truth(text); }
  void finish() override {
    const PhaseClock::Scope scope(clock_, Phase::print);
    renderer_->finish();
    out_.flush();
  }

 private:
  std::unique_ptr<Renderer> renderer_;
  PhaseClock& clock_;
};

}  // namespace

std::unique_ptr<Renderer> make_timed_renderer(const RenderJob& job,
                                              std::unique_ptr<Renderer> renderer,
                                              Session& session) {
  return std::make_unique<TimedRenderer>(job, std::move(renderer), session);
}

}  // namespace kvmscope
