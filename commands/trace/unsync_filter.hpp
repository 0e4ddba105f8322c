// --where of `trace unsync`: a C expression about one batch.
#pragma once

#include <string>
#include <string_view>

#include "commands/trace/unsync_batches.hpp"
#include "commands/trace/vcpu_names.hpp"
#include "core/expression/tree.hpp"

namespace kvmscope::tracing {

class UnsyncFilter {
 public:
  // Empty text: every batch passes. Throws Error{usage} that has a column: not C, or a name that
  // a batch does not have.
  UnsyncFilter(std::string_view text, const Types& types);

  // Throws Error{usage}: the filter cannot be calculated for this batch.
  bool passes(const TracedBatch& traced, const VcpuName& owner) const;

  // What the names mean, for help.
  static std::string help();

 private:
  const Types& types_;
  Expression expression_;
};

}  // namespace kvmscope::tracing
