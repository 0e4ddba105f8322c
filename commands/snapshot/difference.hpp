// One difference between two snapshots, and the finders of each kind.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "commands/output/record.hpp"
#include "commands/snapshot/differences.hpp"
#include "commands/snapshot/state.hpp"

namespace kvmscope::snapshots {

struct Difference {
  std::string_view subject;
  std::string name = {};
  std::string_view change;
  std::optional<std::uint64_t> level = {};
  std::optional<std::uint64_t> address = {};
  std::optional<std::uint64_t> last = {};
  std::optional<std::uint64_t> gfn = {};
  Value before = {};
  Value after = {};
};

// Two states of one VM.
struct VmPair {
  const VmState& before;
  const VmState& after;
  const DifferenceSink& sink;

  void add(Difference difference) const;
};

void compare_vcpus(const VmPair& vm);
void compare_roots(const VmPair& vm);
void compare_page_counts(const VmPair& vm);
void compare_pages(const VmPair& vm);
void compare_ranges(const VmPair& vm);

}  // namespace kvmscope::snapshots
