#include "commands/shell/candidates.hpp"

#include <algorithm>
#include <filesystem>

#include "commands/shell/session.hpp"
#include "core/kernel/kernel.hpp"
#include "core/kvm/audit/rule.hpp"
#include "core/kvm/kvm.hpp"

namespace kvmscope {
namespace {

using Names = std::vector<std::string>;

Names commands(Session& session, std::string_view) {
  return command_names(session.catalogue());
}

Names settings(Session&, std::string_view) {
  Names names;
  for (const Setting& setting : all_settings()) names.emplace_back(setting.name);
  return names;
}

std::vector<kvm::Vm> vms_of(const kvm::Kvm& kvm) {
  std::vector<VirtAddr> addresses;
  kvm.each_vm_address([&](VirtAddr address) { addresses.push_back(address); });
  std::reverse(addresses.begin(), addresses.end());
  std::vector<kvm::Vm> vms;
  for (unsigned index = 0; index < addresses.size(); ++index)
    vms.push_back(kvm.vm_at(addresses[index], index));
  return vms;
}

Names vms(Session& session, std::string_view) {
  if (!session.has_target()) return {};
  Names names;
  for (const kvm::Vm& vm : vms_of(session.kvm())) {
    names.push_back(std::to_string(vm.index));
    if (const std::optional<std::string> id = session.kvm().id(vm)) names.push_back(*id);
  }
  return names;
}

Names roots(Session& session, std::string_view) {
  if (!session.has_target()) return {};
  Names names;
  const kvm::Kvm& kvm = session.kvm();
  for (const kvm::Vm& vm : vms_of(kvm))
    for (std::uint64_t idx = 0; idx < kvm.vcpu_count(vm); ++idx)
      for (const kvm::Root& root : kvm.roots(kvm.vcpu_at(vm, idx)))
        if (root.valid) names.push_back(root.name());
  return names;
}

Names symbols(Session& session, std::string_view prefix) {
  return session.has_target() ? session.kernel().symbol_names(prefix, most_candidates) : Names();
}

Names rules(Session&, std::string_view) {
  Names names;
  for (const kvm::audit::Rule& rule : kvm::audit::rules()) names.emplace_back(rule.name);
  return names;
}

Names files(Session&, std::string_view prefix) {
  return file_candidates(prefix);
}

struct KindCandidates {
  ArgumentKind kind;
  Names (*candidates)(Session& session, std::string_view prefix);
};

constexpr KindCandidates kinds[] = {
    {ArgumentKind::command, commands}, {ArgumentKind::setting, settings},
    {ArgumentKind::vm, vms},           {ArgumentKind::root, roots},
    {ArgumentKind::rules, rules},      {ArgumentKind::symbol, symbols},
    {ArgumentKind::file, files},       {ArgumentKind::data_file, files},
};

}  // namespace

std::vector<std::string> candidates(Session& session, ArgumentKind kind, std::string_view prefix) {
  for (const KindCandidates& known : kinds)
    if (known.kind == kind) return known.candidates(session, prefix);
  return {};
}

std::vector<std::string> command_names(const std::vector<Command>& commands) {
  Names names;
  for (const Command& command : commands)
    names.insert(names.end(), command.names.begin(), command.names.end());
  return names;
}

std::vector<std::string> file_candidates(std::string_view prefix) {
  const std::size_t slash = prefix.rfind('/');
  const std::string folder(slash == prefix.npos ? "" : prefix.substr(0, slash + 1));
  const std::string name(slash == prefix.npos ? prefix : prefix.substr(slash + 1));
  std::vector<std::string> names;
  std::error_code failed;
  for (const auto& entry :
       std::filesystem::directory_iterator(folder.empty() ? "." : folder, failed)) {
    const std::string file = entry.path().filename();
    if (!file.starts_with(name) || (name.empty() && file.starts_with('.'))) continue;
    names.push_back(folder + file + (entry.is_directory(failed) ? "/" : ""));
    if (names.size() == most_candidates) break;
  }
  return names;
}

}  // namespace kvmscope
