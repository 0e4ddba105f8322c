// diff: what changed from one snapshot to another, or to the target as it is now.

#include "commands/catalogue.hpp"
#include "commands/shell/session.hpp"
#include "commands/snapshot/destination.hpp"
#include "commands/snapshot/differences.hpp"

namespace kvmscope {
namespace {

using snapshots::State;

State state_of_file(Session& session, const std::string& path) {
  snapshots::Source source(session.files_ahead().read(path), path);
  return snapshots::read_state(source);
}

// The target as it is, as deep as the snapshot that it is compared with.
State state_now(Session& session, const State& before, RowSink& rows) {
  const snapshots::Depth depth = snapshots::parse_depth(before.depth);
  snapshots::Taken taken = snapshots::take_in_memory(session, {.depth = depth});
  report(session, taken.outcome, rows);
  return snapshots::read_state(taken.source);
}

void note_what_is_other(const State& before, const State& after, RowSink& rows) {
  if (before.build_id != after.build_id)
    rows.note(fmt::format("the kernels differ ({}, {}): the host was booted in between",
                          before.release, after.release));
  if (before.depth != after.depth)
    rows.note(fmt::format("{} has the depth {} and {} {}: only what both hold is compared",
                          before.name, before.depth, after.name, after.depth));
}

void show_differences(Session& session, const Arguments& args, RowSink& rows) {
  const State before = state_of_file(session, *args.text("A"));
  const std::optional<std::string> other = args.text("B");
  const State after = other ? state_of_file(session, *other) : state_now(session, before, rows);
  note_what_is_other(before, after, rows);
  std::uint64_t count = 0;
  find_differences(before, after,
                   {.add =
                        [&](Record record) {
                          ++count;
                          rows.add(std::move(record));
                        },
                    .missing =
                        [&](const std::string& text) {
                          rows.note(text);
                          rows.set_status(exit_status(ErrorKind::fault));
                        },
                    .note = [&](const std::string& text) { rows.note(text); }});
  rows.footer(fmt::format("{} differences from {} to {}", count, before.time, after.time));
  if (count != 0 && args.has("--exit-code")) rows.set_status(1);
}

void open_files_ahead(Session& session, const Arguments& args) {
  for (const std::string_view name : {"A", "B"})
    if (const auto path = args.text(name)) session.files_ahead().read_later(*path);
}

}  // namespace

Command diff() {
  return {
      .names = {"diff"},
      .summary = "show what changed from one snapshot to another, or to now",
      .details =
          "VMs and vCPUs come and go; roots that are new, were dropped, became invalid, went into"
          " or out of\n"
          "prev_roots; growth of page tables; with --depth pages also pages that were built or "
          "zapped, became\n"
          "unsync or were synced; with --depth trees also ranges that were mapped, split, merged,"
          " gained or\n"
          "lost write or dirty. Without B, the target as it is now is looked at as deeply as A "
          "was.\n"
          "VMs are the same when address and, where it could be read, id are; a tree is told by "
          "its domain,\n"
          "gfn and role.",
      .needs = Needs::nothing,
      .needs_target = [](const Arguments& args) { return !args.text("B"); },
      .open_ahead = open_files_ahead,
      .arguments = {{"A", ArgumentKind::data_file, "the older snapshot"},
                    {"B", ArgumentKind::data_file, "the newer one; without it: the target", true}},
      .options = {{"--exit-code", "", ArgumentKind::text, "status 1 when there are differences"}},
      .columns = snapshots::difference_columns(),
      .view = {.table = {column("VM", "vm"), column("SUBJECT", "subject"), column("NAME", "name"),
                         column("CHANGE", "change"), column("L", "level"),
                         column("ADDRESS", "address"), column("LAST", "last"), column("GFN", "gfn"),
                         column("BEFORE", "before"), column("AFTER", "after")}},
      .examples = {"diff old.json new.json", "diff old.json.zst -f json --exit-code"},
      .run = show_differences,
  };
}

}  // namespace kvmscope
