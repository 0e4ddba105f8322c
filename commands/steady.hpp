// Records of a kernel that runs: made again until they are true, or marked.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "commands/output/row_sink.hpp"
#include "core/kernel/kernel.hpp"

namespace kvmscope {

// Records that can be made in parts, each on its own: one VM each, one vCPU each.
struct SteadyWork {
  std::size_t count = 1;
  // Sends the records of part `i`. May run several times, so it must read everything that it
  // depends on itself, and change nothing.
  std::function<void(std::size_t i)> make;
  // What a fault in part `i` costs, for its note: "vCPU 3 of VM 0 is incomplete". Without it a
  // part that sends nothing and is torn goes without a note.
  std::function<std::string(std::size_t i)> what;
};

// Sends the records of all parts in order. On a kernel that runs, what each part used is read
// again when all are made; a part that changed is made again, a bounded number of times, and stays
// torn after the last. Records of one part have one truth. In a dump it is RowSink::attempt() for
// each part. Returns how many parts stayed torn.
std::size_t steadily(const Kernel& kernel, RowSink& rows, const SteadyWork& work);

// Runs `body` in the same way for a value that records are made from later: which VMs there are.
// What stays torn is noted with `what`.
void settle_or_note(const Kernel& kernel, RowSink& rows, const std::string& what,
                    const std::function<void()>& body);

}  // namespace kvmscope
