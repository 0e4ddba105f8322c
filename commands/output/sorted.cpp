// --sort: the only case in which all records are held.

#include <algorithm>

#include "commands/output/make.hpp"
#include "commands/output/selection.hpp"

namespace kvmscope {
namespace {

class Sorted : public Renderer {
 public:
  Sorted(const RenderJob& job, Output& out, Messages& messages, RendererPtr renderer)
      : Renderer(job, out, messages), key_(find_sort_key(job)), renderer_(std::move(renderer)) {}

  void record(Record record, std::optional<bool>) override {
    records_.push_back(std::move(record));
  }
  void note(const std::string& text) override { renderer_->note(text); }
  void failure(const std::string& text) override { renderer_->failure(text); }
  void footer(const std::string& text) override { footers_.push_back(text); }
  void flush() override {}
  void end(const Ending& ending) override { ending_ = ending; }

  void finish() override {
    std::stable_sort(records_.begin(), records_.end(), key_.less);
    for (Record& record : records_) renderer_->record(std::move(record), std::nullopt);
    for (const std::string& footer : footers_) renderer_->footer(footer);
    if (ending_) renderer_->end(*ending_);
    renderer_->finish();
  }

 private:
  SortKey key_;
  RendererPtr renderer_;
  Records records_;
  std::vector<std::string> footers_;
  std::optional<Ending> ending_;
};

}  // namespace

RendererPtr make_sorted(const RenderJob& job, Output& out, Messages& messages,
                        RendererPtr renderer) {
  return std::make_unique<Sorted>(job, out, messages, std::move(renderer));
}

}  // namespace kvmscope
