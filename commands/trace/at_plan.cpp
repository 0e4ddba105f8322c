#include "commands/trace/at_plan.hpp"

#include "core/expression/lexer.hpp"
#include "core/probe/fetch.hpp"

namespace kvmscope::tracing {
namespace {

// Compiles the expressions for one place after the other. What one inlined copy lacks another may
// have: an error counts when it is the same everywhere.
class Planner {
 public:
  Planner(const AtPlaces& found, const Types& types, bool at_return,
          const std::vector<std::string>& expressions)
      : found_(found), types_(types), at_return_(at_return), expressions_(expressions) {}

  AtPlan plan(const std::function<std::size_t(std::size_t)>& start) {
    for (std::size_t i = 0; i < expressions_.size(); ++i)
      columns_from(start(i), [&] { check(expressions_[i]); });
    for (const AtPlace& place : found_.places) {
      const probe::FetchScope scope = scope_of(place);
      std::vector<probe::FetchArg> args;
      std::vector<AtValue> values;
      for (std::size_t i = 0; i < expressions_.size(); ++i) {
        std::string lost = probe::why_unavailable(expressions_[i], scope);
        if (lost.empty())
          columns_from(start(i),
                       [&] { args.push_back(probe::fetch_argument(expressions_[i], scope)); });
        values.push_back(lost.empty() ? AtValue{.index = args.size() - 1}
                                      : AtValue{.lost = std::move(lost)});
      }
      probe::name_fields(args);
      add(place, std::move(args), std::move(values));
    }
    return std::move(plan_);
  }

 private:
  probe::FetchScope scope_of(const AtPlace& place) const {
    const CodeSource& code = found_.code.code();
    if (!at_return_) return probe::scope_at(types_, code, place.place);
    return {.types = types_, .code = code, .place = place.place, .result = place.result};
  }

  // Throws when it can be had nowhere.
  void check(const std::string& expression) const {
    for (const AtPlace& place : found_.places)
      if (probe::why_unavailable(expression, scope_of(place)).empty()) return;
    probe::fetch_argument(expression, scope_of(found_.places.front()));
  }

  void add(const AtPlace& place, std::vector<probe::FetchArg> args, std::vector<AtValue> values) {
    plan_.places.push_back(place);
    plan_.values.push_back(std::move(values));
    plan_.probes.push_back({.event = fmt::format("at{}", plan_.probes.size()),
                            .place = found_.code.probe_place(place.place),
                            .at_return = at_return_,
                            .args = std::move(args)});
  }

  const AtPlaces& found_;
  const Types& types_;
  bool at_return_;
  const std::vector<std::string>& expressions_;
  AtPlan plan_;
};

}  // namespace

AtPlan at_plan(const AtPlaces& found, const Types& types, bool at_return,
               const std::vector<std::string>& expressions,
               const std::function<std::size_t(std::size_t)>& start) {
  return Planner(found, types, at_return, expressions).plan(start);
}

}  // namespace kvmscope::tracing
