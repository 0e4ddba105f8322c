#include "commands/shell/timed_finder.hpp"

#include <utility>

namespace kvmscope {
namespace {

class TimedTypes : public TypeSource {
 public:
  TimedTypes(const TypeSource& types, PhaseClock& clock) : types_(types), clock_(clock) {}
  const Type* find(TypeKind kind, std::string_view name) const override {
    const PhaseClock::Scope scope(clock_, Phase::types);
    return types_.find(kind, name);
  }
  std::vector<std::string> names(TypeKind kind, std::string_view prefix,
                                 std::size_t limit) const override {
    const PhaseClock::Scope scope(clock_, Phase::types);
    return types_.names(kind, prefix, limit);
  }

 private:
  const TypeSource& types_;
  PhaseClock& clock_;
};

class TimedSymbols : public SymbolSource {
 public:
  TimedSymbols(const SymbolSource& symbols, PhaseClock& clock) : symbols_(symbols), clock_(clock) {}
  std::optional<Symbol> find(std::string_view name) const override {
    const PhaseClock::Scope scope(clock_, Phase::symbols);
    return symbols_.find(name);
  }
  std::optional<Symbol> nearest(std::uint64_t address) const override {
    const PhaseClock::Scope scope(clock_, Phase::symbols);
    return symbols_.nearest(address);
  }
  std::vector<std::string> names(std::string_view prefix, std::size_t limit) const override {
    const PhaseClock::Scope scope(clock_, Phase::symbols);
    return symbols_.names(prefix, limit);
  }

 private:
  const SymbolSource& symbols_;
  PhaseClock& clock_;
};

class TimedFile : public DebugFile {
 public:
  TimedFile(std::unique_ptr<DebugFile> file, PhaseClock& clock)
      : file_(std::move(file)), clock_(clock) {}
  const std::string& path() const override { return file_->path(); }
  const std::string& build_id() const override { return file_->build_id(); }
  bool has_types() const override { return file_->has_types(); }
  const TypeSource& types() const override {
    if (!types_) types_ = std::make_unique<TimedTypes>(load_types(), clock_);
    return *types_;
  }
  const SymbolSource& symbols() const override {
    if (!symbols_) symbols_ = std::make_unique<TimedSymbols>(load_symbols(), clock_);
    return *symbols_;
  }
  const Type* variable_type(std::string_view name) const override {
    const PhaseClock::Scope scope(clock_, Phase::types);
    return file_->variable_type(name);
  }
  const CodeSource& code() const override {
    const PhaseClock::Scope scope(clock_, Phase::types);
    return file_->code();
  }

 private:
  const TypeSource& load_types() const {
    const PhaseClock::Scope scope(clock_, Phase::types);
    return file_->types();
  }
  const SymbolSource& load_symbols() const {
    const PhaseClock::Scope scope(clock_, Phase::symbols);
    return file_->symbols();
  }

  std::unique_ptr<DebugFile> file_;
  PhaseClock& clock_;
  mutable std::unique_ptr<TimedTypes> types_;
  mutable std::unique_ptr<TimedSymbols> symbols_;
};

class TimedFinder : public DebugFinder {
 public:
  TimedFinder(const DebugFinder& finder, PhaseClock& clock) : finder_(finder), clock_(clock) {}
  DebugSearch find(std::string_view module, std::string_view release,
                   std::string_view build_id) const override {
    const PhaseClock::Scope scope(clock_, Phase::types);
    return timed(finder_.find(module, release, build_id));
  }
  LayoutSearch find_layout(const BuildIdOf& build_id_of) const override {
    const PhaseClock::Scope scope(clock_, Phase::types);
    return finder_.find_layout(build_id_of);
  }
  bool can_fetch() const override { return finder_.can_fetch(); }
  DebugSearch fetch(std::string_view module, std::string_view build_id) const override {
    const PhaseClock::Scope scope(clock_, Phase::types);
    return timed(finder_.fetch(module, build_id));
  }
  const SymbolSource* system_map() const override {
    const PhaseClock::Scope scope(clock_, Phase::symbols);
    return finder_.system_map();
  }

 private:
  DebugSearch timed(DebugSearch search) const {
    if (search.file != nullptr)
      search.file = std::make_unique<TimedFile>(std::move(search.file), clock_);
    return search;
  }

  const DebugFinder& finder_;
  PhaseClock& clock_;
};

}  // namespace

std::unique_ptr<DebugFinder> make_timed_finder(const DebugFinder& finder, PhaseClock& clock) {
  return std::make_unique<TimedFinder>(finder, clock);
}

}  // namespace kvmscope
