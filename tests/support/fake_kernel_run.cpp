#include "tests/support/fake_kernel_run.hpp"

#include "commands/catalogue.hpp"
#include "commands/shell/runner.hpp"
#include "commands/shell/session.hpp"

namespace kvmscope {
namespace {

constexpr std::string_view program = "kvmscope: ";

FakeOutcome run_in(FakeKernel& kernel, Target target, std::string_view line) {
  kernel.kernel();  // makes its symbols
  const std::vector<Command> commands = catalogue();
  Output out;
  Output errors;
  Messages messages(errors, false, false);
  Console console{.out = &out, .messages = messages};
  Session session(std::move(target), kernel.finder(), commands, console);
  FakeOutcome outcome;
  outcome.status = run_line(session, line);
  outcome.text = out.text();
  outcome.notes = lines_of(errors.text());
  return outcome;
}

Target target_of(FakeKernel& kernel) {
  return {.path = "fake.core", .open = [&] { return kernel.dump(); }};
}

}  // namespace

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.starts_with(program)) line.remove_prefix(program.size());
    lines.emplace_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

nlohmann::json FakeOutcome::column(const std::string& key) const {
  nlohmann::json values = nlohmann::json::array();
  for (const nlohmann::json& record : records) values.push_back(record.at(key));
  return values;
}

FakeOutcome run(FakeKernel& kernel, std::string_view line) {
  FakeOutcome outcome = run_text(kernel, std::string(line) + " -f json");
  outcome.records = nlohmann::json::parse(outcome.text, nullptr, false);
  return outcome;
}

FakeOutcome run_text(FakeKernel& kernel, std::string_view line) {
  return run_in(kernel, target_of(kernel), line);
}

FakeOutcome run_offline(FakeKernel& kernel, std::string_view line) {
  return run_in(kernel, {}, line);
}

std::string hex(std::uint64_t value) {
  return fmt::format("{:#x}", value);
}

}  // namespace kvmscope
