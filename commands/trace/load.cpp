// trace load: how often each vCPU switches CR3, and how often that makes KVM load a root.

#include "commands/shell/session.hpp"
#include "commands/targets.hpp"
#include "commands/trace/load_parts.hpp"
#include "commands/trace/trace.hpp"

namespace kvmscope::tracing {
namespace {

void trace_load(Session& session, const Arguments& args, RowSink& rows) {
  const kvm::Kvm& kvm = session.kvm();
  LoadPlan plan = load_plan(kvm);
  if (const std::optional<std::string> vm = args.text("VM"))
    plan.plan.filter = load_filter(find_vm(kvm, *vm, rows));
  const std::unique_ptr<Listener> listener =
      load_listener(kvm, std::move(plan.sources), args.has("--summary"), rows);
  run(session, args, rows, plan.plan, *listener);
}

}  // namespace

Command load() {
  return {
      .names = {"load"},
      .summary = "count CR3 switches and root loads of each vCPU: hits, misses, other causes",
      .details =
          "Under shadow paging KVM sees every CR3 switch of a guest. It keeps the roots of the\n"
          "current and three earlier address spaces: a switch back to one of them is a hit, any\n"
          "other makes it load (build or find) a root, a miss. One row a second for each vCPU,\n"
          "then for each vCPU, each VM and all of them the total and a histogram of the loads\n"
          "per second. With EPT or NPT a guest switches CR3 without KVM: only loads are seen.\n"
          "--count counts switches.",
      .arguments = {vm_argument()},
      .options = with_run_options({}),
      .columns = load_columns(),
      .view = load_view(),
      .modes = {dry_run_mode()},
      .examples = {"trace load 0 --for 10 --yes", "trace load --dry-run"},
      .group = "trace",
      .run = trace_load,
  };
}

}  // namespace kvmscope::tracing
