// snapshot: the state of KVM's MMU as one JSON document, on standard output or in a file.

#include "commands/catalogue.hpp"
#include "commands/shell/session.hpp"
#include "commands/snapshot/destination.hpp"
#include "commands/targets.hpp"

namespace kvmscope {
namespace {

constexpr mode_t owner_only = 0600;

void take_snapshot(Session& session, const Arguments& args, RowSink& rows) {
  snapshots::Wanted wanted{.vm = args.text("VM").value_or("")};
  if (const auto depth = args.option("--depth")) wanted.depth = snapshots::parse_depth(*depth);
  snapshots::Outcome outcome;
  snapshots::write_result(session, args, owner_only,
                          [&](ByteWriter& out) { outcome = write_document(session, wanted, out); });
  report(session, outcome, rows);
}

}  // namespace

Command snapshot() {
  return {
      .names = {"snapshot"},
      .summary = "write the state of KVM's MMU as one JSON document",
      .details =
          "The document has the schema kvmscope.snapshot/1 (scripts/snapshot.schema.json): host, "
          "kernel,\nbuild-ids, time, truth and notes, and by the VMs' ids what `vms`, `vcpus`, "
          "`roots` and `slots` tell,\nwith the pages counted by level and role. --depth roots adds "
          "`levels`, pages adds the shadow\npages, trees adds the ranges that each root maps.\n\n"
          "With -o the file is written under another name, synced and put in place, readable for "
          "its owner\nonly: whatever happens, there is the old file or the new one. FILE.zst is "
          "compressed. One snapshot\nis written into a folder at a time; another one ends with "
          "status 3. Says nothing when all is well.\nStatus 4 or 5: something could not be read; "
          "what was read is in the document, with notes.",
      .open_ahead = snapshots::open_result_ahead(owner_only),
      .arguments = {vm_argument()},
      .options = {snapshots::result_option(),
                  {"--depth", "NAME", ArgumentKind::text,
                   "how much: summary (the default), roots, pages or trees"}},
      .examples = {"snapshot -o now.json", "snapshot -o now.json.zst --depth pages",
                   "snapshot 95-4 --depth trees"},
      .run = take_snapshot,
  };
}

}  // namespace kvmscope
