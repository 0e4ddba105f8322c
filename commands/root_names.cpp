#include "commands/root_names.hpp"

namespace kvmscope {

kvm::RootNames root_names(const kvm::Kvm& kvm, const std::vector<kvm::Vm>& vms, RowSink& rows) {
  kvm::RootNames names;
  for (const kvm::Vm& vm : vms)
    for (const kvm::Root& root : root_slots(kvm, vm, rows))
      if (root.valid && root.page) names[root.page->address].push_back(root.name());
  return names;
}

TableColumn known_column(std::string_view header, std::string_view field) {
  return {header, Align::left, [field](const RecordView& record) {
            return record.is_lost(field) ? "?" : record.text(field);
          }};
}

std::string loss_text(const RecordView& record) {
  return record.is_lost("sp") ? record.text("sp") : "";
}

}  // namespace kvmscope
