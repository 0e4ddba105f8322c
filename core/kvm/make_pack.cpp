#include "core/kvm/make_pack.hpp"

#include <algorithm>

#include "core/base/error.hpp"

namespace kvmscope::kvm {
namespace {

PackedKind kind_of(const Type& type) {
  switch (type.kind) {
    case TypeKind::pointer: return PackedKind::pointer;
    case TypeKind::array: return PackedKind::array;
    case TypeKind::structure:
    case TypeKind::union_type: return PackedKind::aggregate;
    default: return PackedKind::number;
  }
}

PackedField pack(const Field& field) {
  const Type& type = strip(*field.type);
  PackedField packed{.spelling = std::string(field.spelling),
                     .type = type_name(*field.type),
                     .kind = kind_of(type),
                     .offset = field.offset,
                     .size = field.size,
                     .bit_offset = field.bit_size != 0 ? field.bit_offset : 0,
                     .bit_size = field.bit_size};
  if (packed.kind == PackedKind::array) {
    packed.count = type.count;
    packed.element_size = field.element_size();
  }
  return packed;
}

// Two groups may read parts of one structure, and some fields both.
void add_group(LayoutPack& made, const FieldGroup& group, std::string_view origin) {
  auto structure = std::ranges::find(made.structures, group.structure(), &PackedStructure::name);
  if (structure == made.structures.end())
    structure = made.structures.insert(structure, {.name = std::string(group.structure()),
                                                   .origin = std::string(origin),
                                                   .size = group.size()});
  for (const Resolution& resolution : group.resolutions()) {
    const Field& field = resolution.field;
    auto& known = structure->fields;
    if (field.present() &&
        std::ranges::find(known, field.spelling, &PackedField::spelling) == known.end())
      known.push_back(pack(field));
  }
}

// What every kvmscope has needs no place in a pack.
bool is_from_file(std::string_view origin) {
  return !origin.empty() && origin != "built-in";
}

void add_build_id(LayoutPack& pack, const DebugInfo& debug, std::string_view module) {
  if (pack.build_ids.contains(module)) return;
  std::string id = debug.layout_build_id(module);
  if (id.empty())
    throw_error(ErrorKind::unavailable,
                "the build-id of {} is not known, which a layout pack is told by: give {} with -s, "
                "too",
                module,
                module == "vmlinux" ? "vmlinux, or a dump with -c," : "a file that has one");
  pack.build_ids.emplace(module, std::move(id));
}

}  // namespace

LayoutPack make_pack(const DebugInfo& debug, const AllFields& fields, std::string vmlinux_build_id,
                     UsualSymbols symbols) {
  LayoutPack made{.fields = fields_version(), .release = debug.release()};
  made.symbols = std::move(symbols);
  if (!vmlinux_build_id.empty()) made.build_ids.emplace("vmlinux", std::move(vmlinux_build_id));
  for (const FieldGroup* group : fields.groups()) {
    const std::string_view origin = group->resolutions().front().origin;
    if (is_from_file(origin)) add_group(made, *group, origin);
  }
  for (const std::string_view name : read_enumerations) {
    const Types::Found found = debug.layout_types().find(TypeKind::enumeration, name);
    if (is_from_file(found.origin))
      made.enumerations.push_back(
          {std::string(name), std::string(found.origin), found.type->enumerators});
  }
  for (const PackedStructure& structure : made.structures)
    add_build_id(made, debug, structure.origin);
  for (const PackedEnumeration& enumeration : made.enumerations)
    add_build_id(made, debug, enumeration.origin);
  add_build_id(made, debug, "vmlinux");
  return made;
}

}  // namespace kvmscope::kvm
