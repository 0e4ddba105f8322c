#include "commands/snapshot/trees.hpp"

#include <optional>

#include "commands/targets.hpp"
#include "core/kvm/walk.hpp"

namespace kvmscope::snapshots {
namespace {

constexpr std::uint64_t most_runs = 1'000'000;  // of one tree

// Leaves of one level with the same rights, without a gap in their addresses.
struct Run {
  std::uint64_t first = 0;
  std::uint64_t last = 0;  // inclusive
  unsigned level = 0;
  bool readable = false, writable = false, executable = false, user = false, dirty = false;

  bool continues(const Run& before) const {
    return first == before.last + 1 && first != 0 && level == before.level &&
           readable == before.readable && writable == before.writable &&
           executable == before.executable && user == before.user && dirty == before.dirty;
  }
  std::string access() const {
    return {readable ? 'r' : '-', writable ? 'w' : '-', executable ? 'x' : '-', user ? 'u' : '-'};
  }
};

const std::vector<Column>& run_columns() {
  using K = ColumnKind;
  static const std::vector<Column> all = {{"first", K::hex, "address, in the tree's domain"},
                                          {"last", K::hex, "inclusive"},
                                          {"level", K::count, "1: 4 KiB, 2: 2 MiB, 3: 1 GiB"},
                                          {"access", K::text, "rwxu, - for what is missing"},
                                          {"dirty", K::flag, "whether the dirty bit is set"}};
  return all;
}

const std::vector<Column>& tree_columns() {
  using K = ColumnKind;
  static const std::vector<Column> all = {
      {"name", K::text, "ROOT"},
      {"root_sp", K::hex, "shadow page of the root; null for a PAE table"},
      {"hpa", K::hex, "of its table"},
      {"level", K::count, "levels that the hardware walks from here"},
      {"domain", K::text, "of the addresses: gva, gpa or l2-gpa"},
      {"gfn", K::hex, "guest frame of the table that it shadows"},
      {"role_text", K::text, "the role in the tracepoints' words"}};
  return all;
}

Record tree_record(const NamedStart& root) {
  const std::optional<kvm::ShadowPage>& page = root.tree.page;
  return {{root.name, page ? Value{Hex(page->address)} : Value{}, Hex(root.tree.table),
           std::uint64_t{root.tree.level}, std::string(kvm::name(root.tree.domain)),
           page ? Value{Hex(page->gfn)} : Value{}, page ? Value{page->role.text()} : Value{}}};
}

// Sends runs on when they end.
class Runs {
 public:
  Runs(const kvm::Kvm& kvm, JsonDocument& document)
      : format_(kvm.spte_format()), document_(document) {}

  void add(const kvm::Entry& entry) {
    const bool torn = entry.lost != nullptr && entry.lost->kind() == ErrorKind::torn;
    torn_ += torn || !entry.torn.empty();
    torn_tables_ += torn;
    lost_ += entry.lost != nullptr && !torn;
    if (entry.kind != kvm::SpteKind::leaf) return;
    ++leaves_;
    const std::uint64_t spte = entry.spte;
    const Run run{.first = entry.address,
                  .last = entry.address + kvm::leaf_size(entry.level) - 1,
                  .level = entry.level,
                  .readable = format_.readable(spte),
                  .writable = format_.writable(spte),
                  .executable = format_.executable(spte),
                  .user = format_.user_accessible(spte),
                  .dirty = (spte & format_.dirty) != 0};
    if (open_ && run.continues(*open_)) {
      open_->last = run.last;
      return;
    }
    send();
    if (++runs_ > most_runs)
      throw_error(ErrorKind::fault, "stopped after {} runs of leaves", most_runs);
    open_ = run;
  }

  void send() {
    if (!open_) return;
    document_.record({},
                     {{Hex(open_->first), Hex(open_->last), std::uint64_t{open_->level},
                       open_->access(), open_->dirty}},
                     run_columns());
    open_.reset();
  }

  std::uint64_t leaves() const { return leaves_; }
  std::uint64_t torn() const { return torn_; }
  std::uint64_t lost() const { return lost_; }
  bool complete() const { return lost_ + torn_tables_ == 0; }

 private:
  const kvm::SpteFormat& format_;
  JsonDocument& document_;
  std::optional<Run> open_;
  std::uint64_t runs_ = 0, leaves_ = 0, torn_ = 0, torn_tables_ = 0, lost_ = 0;
};

void write_tree(Session& session, const NamedStart& root, JsonDocument& document, RowSink& rows) {
  const kvm::Kvm& kvm = session.kvm();
  const std::size_t depth = document.depth();
  document.object();
  document.members(tree_record(root), tree_columns());
  document.list("runs");
  Runs runs(kvm, document);
  const auto visit = [&](const kvm::Entry& entry, bool) {
    runs.add(entry);
    if (runs.leaves() % 65536 == 1)
      session.progress(fmt::format("{} leaves of root {}", runs.leaves(), root.name));
  };
  const bool whole = rows.attempt(
      [&] { return fmt::format("the tree of {} is incomplete", root.name); },
      [&] {
        kvm::walk_tree(kvm, root.tree, {}, {.visit = visit, .enter = [] {}, .leave = [] {}});
      });
  runs.send();
  document.end_to(depth + 1);
  document.member("leaves", runs.leaves());
  document.member("torn", runs.torn());
  document.member("lost", runs.lost());
  document.member("complete", whole && runs.complete());
  document.end_to(depth);
  if (runs.torn() != 0) rows.set_torn("");
  if (runs.lost() == 0) return;
  rows.note(fmt::format("{} tables of the tree of {} could not be read", runs.lost(), root.name));
  rows.set_status(exit_status(ErrorKind::fault));
}

}  // namespace

void write_trees(Session& session, const kvm::Vm& vm, Sections& sections) {
  sections.list("trees", {}, [&](RowSink& rows) {
    for (const NamedStart& root : roots_of(session.kvm(), vm, rows))
      write_tree(session, root, sections.document(), rows);
  });
}

}  // namespace kvmscope::snapshots
