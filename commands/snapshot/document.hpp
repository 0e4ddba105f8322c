// The state of KVM's MMU as one JSON document, schema kvmscope.snapshot/1.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "commands/output/json_document.hpp"
#include "commands/shell/session.hpp"

namespace kvmscope::snapshots {

inline constexpr std::string_view schema = "kvmscope.snapshot/1";

// How much a snapshot holds; each depth has what those before it have.
enum class Depth {
  summary,  // identity, counters, vCPUs, root slots, memslots, page counts
  roots,    // tables and leaves of each root's tree, by level
  pages,    // every shadow page
  trees,    // what each tree maps
};
std::string_view name(Depth depth);
// "summary, roots, pages or trees"
std::string depth_names();
// Throws Error{usage} that lists the names.
Depth parse_depth(std::string_view text);

struct Wanted {
  std::string vm = {};  // one VM, as users name it; empty: all
  Depth depth = Depth::summary;
};

// What is not as it should be, for the one line that a script reports.
struct Outcome {
  int status = 0;
  bool torn = false;
  std::vector<std::string> notes = {};
};

// Writes the document as it looks at the target. What cannot be read, or is beyond the limits of
// looks at a kernel that runs, is noted in it. Throws Error{usage} when there is no such VM, and
// what ends every command: Error{unavailable}, {interrupted}, {internal}.
Outcome write_document(Session& session, const Wanted& wanted, ByteWriter& out);

}  // namespace kvmscope::snapshots
