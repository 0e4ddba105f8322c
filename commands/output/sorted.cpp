// --sort: the only case in which all records are held.

#include <algorithm>
#include <memory>

#include "commands/output/make.hpp"
#include "commands/output/selection.hpp"

namespace kvmscope {
namespace {

class Sorted : public Renderer {
 public:
  Sorted(const RenderJob& job, Output& out, Messages& messages, RendererPtr renderer)
      : Renderer(job, out, messages), key_(find_sort_key(job)), renderer_(std::move(renderer)) {}

  void record(Record record, std::optional<bool>) override {
    records_.push_back({std::move(record), nullptr});
  }
  void changed_record(Record record, const Record& before) override {
    records_.push_back({std::move(record), std::make_unique<Record>(before)});
  }
  void note(const std::string& text) override { renderer_->note(text); }
  void failure(const std::string& text) override { renderer_->failure(text); }
  void truth(const std::string& text) override { renderer_->truth(text); }
  void footer(const std::string& text) override { footers_.push_back(text); }
  void end(const Ending& ending) override { ending_ = ending; }

  // Rounds are sorted one by one; events that flush() sends while they happen are not, so there it
  // does nothing.
  void start_round(const std::string& title) override {
    has_rounds_ = true;
    renderer_->start_round(title);
  }
  void flush() override {
    if (!has_rounds_) return;
    send();
    renderer_->flush();
  }

  void finish() override {
    send();
    if (ending_) renderer_->end(*ending_);
    renderer_->finish();
  }

 private:
  struct Kept {
    Record record;
    std::unique_ptr<Record> before;  // of a record that changed since the round before
  };

  void send() {
    std::stable_sort(records_.begin(), records_.end(), [this](const Kept& a, const Kept& b) {
      return key_.less(a.record, b.record);
    });
    for (Kept& kept : records_)
      if (kept.before)
        renderer_->changed_record(std::move(kept.record), *kept.before);
      else
        renderer_->record(std::move(kept.record), std::nullopt);
    for (const std::string& footer : footers_) renderer_->footer(footer);
    records_.clear();
    footers_.clear();
  }

  SortKey key_;
  RendererPtr renderer_;
  std::vector<Kept> records_;
  std::vector<std::string> footers_;
  bool has_rounds_ = false;
  std::optional<Ending> ending_;
};

}  // namespace

RendererPtr make_sorted(const RenderJob& job, Output& out, Messages& messages,
                        RendererPtr renderer) {
  return std::make_unique<Sorted>(job, out, messages, std::move(renderer));
}

}  // namespace kvmscope
