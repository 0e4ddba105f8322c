#include "commands/snapshot/destination.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "commands/output/zstd_writer.hpp"
#include "commands/shell/session.hpp"

namespace kvmscope::snapshots {
namespace {

void write_file(const ReplacedFile& file, const std::function<void(ByteWriter&)>& write) {
  Output out(file.fd());
  if (file.path().ends_with(".zst")) {
    ZstdWriter compressed(out);
    write(compressed);
    compressed.finish();
  } else {
    write(out);
  }
  out.flush();
}

}  // namespace

void write_result(Session& session, const Arguments& args, mode_t mode,
                  const std::function<void(ByteWriter&)>& write) {
  const std::optional<std::string> path = args.option("-o");
  if (!path) return write(*session.console().out);
  const std::unique_ptr<ReplacedFile> file = session.files_ahead().replace(*path, mode);
  with_context([&] { return fmt::format("writing {}", *path); }, [&] { write_file(*file, write); });
  file->commit();
}

std::function<void(Session&, const Arguments&)> open_result_ahead(mode_t mode) {
  return [mode](Session& session, const Arguments& args) {
    if (const auto path = args.option("-o")) session.files_ahead().replace_later(*path, mode);
  };
}

Option result_option() {
  return {"-o", "FILE", ArgumentKind::data_file,
          "the file to write or replace; without it: standard output"};
}

Taken take_in_memory(Session& session, const Wanted& wanted) {
  FileDescriptor file(memfd_create("kvmscope-snapshot", MFD_CLOEXEC));
  if (file.get() < 0)
    throw_error(ErrorKind::unavailable, "no memory for a snapshot: {}", std::strerror(errno));
  Output out(file.get());
  Outcome outcome = write_document(session, wanted, out);
  out.flush();
  lseek(file.get(), 0, SEEK_SET);
  return {Source(std::move(file), session.target_path()), std::move(outcome)};
}

void report(Session& session, const Outcome& outcome, RowSink& rows) {
  rows.set_status(outcome.status);
  if (outcome.torn && session.settings().strict) rows.set_status(exit_status(ErrorKind::torn));
  if (rows.status() == 0) return;
  const std::size_t more = outcome.notes.size() > 1 ? outcome.notes.size() - 1 : 0;
  rows.note(
      fmt::format("the snapshot is incomplete: {}{}",
                  outcome.notes.empty() ? "some values could not be read" : outcome.notes.front(),
                  more != 0 ? fmt::format(" (and {} more notes)", more) : ""));
}

}  // namespace kvmscope::snapshots
