// snapshot: the state of KVM's MMU as one JSON document, on standard output or in a file.

#include "commands/catalogue.hpp"
#include "commands/output/zstd_writer.hpp"
#include "commands/shell/session.hpp"
#include "commands/snapshot/document.hpp"
#include "commands/targets.hpp"

namespace kvmscope {
namespace {

// What is wrong goes into the document. A script that nobody looks at gets one line.
void report(const snapshots::Outcome& outcome, bool strict, RowSink& rows) {
  rows.set_status(outcome.status);
  if (outcome.torn && strict) rows.set_status(exit_status(ErrorKind::torn));
  if (rows.status() == 0) return;
  const std::size_t more = outcome.notes.size() > 1 ? outcome.notes.size() - 1 : 0;
  rows.note(
      fmt::format("the snapshot is incomplete: {}{}",
                  outcome.notes.empty() ? "some values could not be read" : outcome.notes.front(),
                  more != 0 ? fmt::format(" (and {} more notes in it)", more) : ""));
}

snapshots::Outcome write_file(Session& session, const snapshots::Wanted& wanted,
                              const std::string& path) {
  const std::unique_ptr<ReplacedFile> file = session.files_ahead().replace(path);
  Output out(file->fd());
  snapshots::Outcome outcome;
  with_context([&] { return fmt::format("writing {}", path); },
               [&] {
                 if (path.ends_with(".zst")) {
                   ZstdWriter compressed(out);
                   outcome = write_document(session, wanted, compressed);
                   compressed.finish();
                 } else {
                   outcome = write_document(session, wanted, out);
                 }
                 out.flush();
               });
  file->commit();
  return outcome;
}

void take_snapshot(Session& session, const Arguments& args, RowSink& rows) {
  snapshots::Wanted wanted{.vm = args.text("VM").value_or("")};
  if (const auto depth = args.option("--depth")) wanted.depth = snapshots::parse_depth(*depth);
  const std::optional<std::string> path = args.option("-o");
  report(path ? write_file(session, wanted, *path)
              : write_document(session, wanted, *session.console().out),
         session.settings().strict, rows);
}

void open_file_ahead(Session& session, const Arguments& args) {
  if (const auto path = args.option("-o")) session.files_ahead().replace_later(*path);
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
      .open_ahead = open_file_ahead,
      .arguments = {vm_argument()},
      .options = {{"-o", "FILE", ArgumentKind::data_file,
                   "the file to write or replace; without it: standard output"},
                  {"--depth", "NAME", ArgumentKind::text,
                   "how much: summary (the default), roots, pages or trees"}},
      .examples = {"snapshot -o now.json", "snapshot -o now.json.zst --depth pages",
                   "snapshot 95-4 --depth trees"},
      .run = take_snapshot,
  };
}

}  // namespace kvmscope
