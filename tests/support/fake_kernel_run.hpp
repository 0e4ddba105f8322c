// Command lines of the product, run against a fake kernel.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/fake_kernel.hpp"

namespace kvmscope {

struct FakeOutcome {
  int status = 0;
  std::string text;                // standard output
  std::vector<std::string> notes;  // lines of standard error, without "kvmscope: "
  nlohmann::json records;          // of run(): the array

  // The values of one key, in order.
  nlohmann::json column(const std::string& key) const;
};

// Runs a line through a session of its own, with `-f json`.
FakeOutcome run(FakeKernel& kernel, std::string_view line);
// The same in the format that the line asks for; a table without any.
FakeOutcome run_text(FakeKernel& kernel, std::string_view line);
// Without a target: the debug files alone.
FakeOutcome run_offline(FakeKernel& kernel, std::string_view line);

// Of what went to standard error: each without "kvmscope: ".
std::vector<std::string> lines_of(std::string_view text);

// As JSON has it: "0xffff888000100000".
std::string hex(std::uint64_t value);
inline std::string hex(VirtAddr at) {
  return hex(at.value);
}
inline std::string hex(PhysAddr at) {
  return hex(at.value);
}

}  // namespace kvmscope
