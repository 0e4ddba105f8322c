#include "core/kvm/all_fields.hpp"

#include <fmt/ranges.h>

#include "core/types/pack.hpp"

namespace kvmscope::kvm {

AllFields::AllFields(const Types& types)
    : kvm_(types),
      module_(types),
      kallsyms_(types),
      task_(types),
      mm_(types),
      pid_(types),
      css_set_(types),
      cgroup_(types),
      kernfs_(types),
      mappings_(types),
      vma_(types),
      maple_(types) {}

std::vector<const FieldGroup*> AllFields::groups() const {
  std::vector<const FieldGroup*> groups = kvm_.groups();
  groups.insert(groups.end(), {&module_, &kallsyms_, &task_, &mm_, &pid_, &css_set_, &cgroup_,
                               &kernfs_, &mappings_, &vma_, &maple_});
  return groups;
}

bool AllFields::complete() const {
  for (const FieldGroup* group : groups())
    for (const Resolution& resolution : group->resolutions())
      if (resolution.required && !resolution.field.present()) return false;
  return true;
}

std::string fields_version() {
  const Types none;
  const AllFields fields(none);
  std::string text;
  for (const FieldGroup* group : fields.groups())
    for (const Resolution& resolution : group->resolutions())
      text +=
          fmt::format("{}: {}\n", resolution.field.structure, fmt::join(resolution.spellings, " "));
  text += fmt::format("{}\n", fmt::join(read_enumerations, " "));
  return fmt::format("{:016x}", checksum(text));
}

}  // namespace kvmscope::kvm
