#include "commands/trace/unsync_filter.hpp"

#include <algorithm>
#include <array>

#include "core/base/error.hpp"
#include "core/expression/evaluate.hpp"
#include "core/object/object.hpp"

namespace kvmscope::tracing {
namespace {

struct Subject {
  const TracedBatch& traced;
  const VcpuName& owner;

  const std::vector<kvm::UnsyncPage>& pages() const { return traced.batch.pages; }
};

struct Name {
  std::string_view name;
  std::string_view help;
  std::int64_t (*get)(const Subject& subject);
};
constexpr std::array<Name, 8> batch_names = {{
    {"nr", "entries of the batch",
     [](const Subject& s) { return static_cast<std::int64_t>(s.pages().size()); }},
    {"level", "level of the root",
     [](const Subject& s) { return static_cast<std::int64_t>(s.pages().front().level); }},
    {"gfn", "guest frame of the root",
     [](const Subject& s) { return static_cast<std::int64_t>(s.pages().front().gfn.value); }},
    {"root_sp", "shadow page of the root",
     [](const Subject& s) { return static_cast<std::int64_t>(s.pages().front().sp.value); }},
    {"vm", "number of the VM, -1 if not known",
     [](const Subject& s) { return s.owner.vm ? static_cast<std::int64_t>(*s.owner.vm) : -1; }},
    {"vcpu", "vcpu_id, -1 if not known",
     [](const Subject& s) { return s.owner.vcpu ? static_cast<std::int64_t>(*s.owner.vcpu) : -1; }},
    {"tid", "thread", [](const Subject& s) { return std::int64_t{s.traced.tid}; }},
    {"zap", "1 in mmu_zap_unsync_children, 0 in mmu_sync_children",
     [](const Subject& s) {
       return std::int64_t{s.traced.function.find("_zap_") != std::string::npos};
     }},
}};

// Of one page each; the entry of `levels` counts pages instead.
struct Function {
  std::string_view name;
  std::string_view help;
  std::int64_t (*get)(const kvm::UnsyncPage& page);
};
constexpr std::string_view levels_help = "how many entries are of level N";
constexpr std::array<Function, 3> functions = {{
    {"level_of", "level of entry N",
     [](const kvm::UnsyncPage& page) { return std::int64_t{page.level}; }},
    {"gfn_of", "guest frame of entry N",
     [](const kvm::UnsyncPage& page) { return static_cast<std::int64_t>(page.gfn.value); }},
    {"idx_of", "index of entry N in its parent",
     [](const kvm::UnsyncPage& page) { return page.idx; }},
}};

class BatchScope : public Scope {
 public:
  BatchScope(const Types& types, const Subject& subject) : types_(types), subject_(subject) {}

  std::optional<Object> symbol(std::string_view name) const override {
    for (const Name& known : batch_names)
      if (known.name == name) return number(known.get(subject_));
    return std::nullopt;
  }
  std::optional<Object> variable(std::string_view) const override { return std::nullopt; }
  void assign(std::string_view, const Object&) override {
    throw Error(ErrorKind::usage, "a filter has no variables: compare with ==");
  }
  std::vector<std::string> names() const override {
    std::vector<std::string> all;
    for (const Name& known : batch_names) all.emplace_back(known.name);
    return all;
  }

  std::optional<Object> call(std::string_view name, const std::vector<Object>& arguments) override {
    const auto known = std::find_if(functions.begin(), functions.end(),
                                    [&](const Function& one) { return one.name == name; });
    if (name != "levels" && known == functions.end()) return std::nullopt;
    if (arguments.size() != 1)
      throw_error(ErrorKind::usage, "{}() takes one number, as in {}(2)", name, name);
    const std::int64_t n = arguments.front().as_signed();
    const std::vector<kvm::UnsyncPage>& pages = subject_.pages();
    if (known == functions.end())
      return number(std::count_if(pages.begin(), pages.end(),
                                  [&](const auto& page) { return page.level == n; }));
    // An entry that a batch does not have is no error: batches differ in length.
    if (n < 0 || static_cast<std::size_t>(n) >= pages.size()) return number(-1);
    return number(known->get(pages[static_cast<std::size_t>(n)]));
  }

 private:
  Object number(std::int64_t value) const {
    return Object::value(types_, no_memory(), types_.integer(8, true),
                         static_cast<std::uint64_t>(value));
  }

  const Types& types_;
  const Subject& subject_;
};

}  // namespace

UnsyncFilter::UnsyncFilter(std::string_view text, const Types& types) : types_(types) {
  if (text.empty()) return;
  expression_ = parse_expression(text, types);
  // Names that do not exist are found now, not when the first batch comes.
  TracedBatch any;
  any.batch.pages.resize(1);
  passes(any, {});
}

bool UnsyncFilter::passes(const TracedBatch& traced, const VcpuName& owner) const {
  if (expression_ == nullptr) return true;
  const Subject subject{traced, owner};
  BatchScope scope(types_, subject);
  return evaluate(*expression_, types_, no_memory(), scope).as_bool();
}

std::string UnsyncFilter::help() {
  std::string text;
  for (const Name& known : batch_names)
    text += fmt::format("  {:<10} {}\n", known.name, known.help);
  text += fmt::format("  {:<10} {}\n", "levels(N)", levels_help);
  for (const Function& known : functions)
    text += fmt::format("  {:<10} {}, -1 if there is none\n", fmt::format("{}(N)", known.name),
                        known.help);
  return text;
}

}  // namespace kvmscope::tracing
