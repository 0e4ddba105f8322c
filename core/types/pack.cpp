#include "core/types/pack.hpp"

#include <deque>
#include <utility>

#include "core/base/error.hpp"
#include "core/base/file.hpp"
#include "core/types/type_modules.hpp"

namespace kvmscope {
namespace {

TypeKind kind_of(PackedKind kind) {
  switch (kind) {
    case PackedKind::number: return TypeKind::integer;
    case PackedKind::pointer: return TypeKind::pointer;
    case PackedKind::array: return TypeKind::array;
    case PackedKind::aggregate: return TypeKind::structure;
  }
  return TypeKind::void_type;
}

// What came from one debug file.
class PackedTypes : public TypeSource {
 public:
  const Type* find(TypeKind kind, std::string_view name) const override {
    const auto found = types_.find({kind, std::string(name)});
    return found != types_.end() ? found->second : nullptr;
  }
  std::vector<std::string> names(TypeKind, std::string_view, std::size_t) const override {
    return {};
  }

  void add(const PackedStructure& packed) {
    const bool is_union = packed.name.starts_with("union ");
    Type structure{.kind = is_union ? TypeKind::union_type : TypeKind::structure,
                   .name = packed.name.substr(packed.name.find(' ') + 1),
                   .size = packed.size};
    for (const PackedField& field : packed.fields)
      structure.members.push_back(
          {field.spelling, type_of(field), 8 * field.offset + field.bit_offset, field.bit_size});
    add(std::move(structure));
  }
  void add(const PackedEnumeration& packed) {
    add(Type{.kind = TypeKind::enumeration,
             .name = packed.name,
             .size = 4,
             .enumerators = packed.enumerators});
  }

 private:
  const Type& keep(Type type) { return all_.emplace_back(std::move(type)); }
  void add(Type type) {
    const Type& kept = keep(std::move(type));
    types_.emplace(std::pair(kept.kind, kept.name), &kept);
  }
  // What the field is like under a name that is its type's.
  const Type& type_of(const PackedField& field) {
    Type shape{.kind = kind_of(field.kind), .size = field.size};
    if (field.kind == PackedKind::array) {
      shape.count = field.count;
      shape.target = keep({.kind = TypeKind::integer, .size = field.element_size});
    }
    return keep({.kind = TypeKind::typedef_type,
                 .name = field.type,
                 .size = field.size,
                 .target = keep(std::move(shape))});
  }

  std::deque<Type> all_;
  std::map<std::pair<TypeKind, std::string>, const Type*> types_;
};

class PackLayout : public LayoutSource {
 public:
  PackLayout(LayoutPack pack, std::string name, bool is_implied)
      : pack_(std::move(pack)), name_(std::move(name)), is_implied_(is_implied) {
    for (const PackedStructure& structure : pack_.structures)
      types_[structure.origin].add(structure);
    for (const PackedEnumeration& enumeration : pack_.enumerations)
      types_[enumeration.origin].add(enumeration);
  }

  const std::string& name() const override { return name_; }
  const TypeSource* types(std::string_view module) const override {
    const auto found = types_.find(module);
    return found != types_.end() ? &found->second : nullptr;
  }
  std::string build_id(std::string_view module) const override {
    const auto found = pack_.build_ids.find(module);
    return found != pack_.build_ids.end() ? found->second : "";
  }
  std::optional<Symbol> symbol(std::string_view name) const override {
    const auto found = pack_.symbols.find(name);
    if (found == pack_.symbols.end()) return std::nullopt;
    return Symbol{.name = found->first, .address = found->second, .type = 'D', .module = ""};
  }
  bool is_implied() const override { return is_implied_; }

 private:
  LayoutPack pack_;
  std::string name_;
  bool is_implied_;
  std::map<std::string, PackedTypes, std::less<>> types_;
};

}  // namespace

LayoutPack read_pack(const std::string& path, std::string_view fields, OpenLog* log) {
  return read_pack(open_read_only(path, log).get(), path, fields);
}

LayoutPack read_pack(int fd, const std::string& path, std::string_view fields) {
  LayoutPack pack = parse_pack(read_text(fd, path), path);
  if (pack.fields != fields)
    throw_error(ErrorKind::unavailable,
                "{} was made by another version of kvmscope, which reads other fields: make it "
                "again with `layout --save`",
                path);
  return pack;
}

std::shared_ptr<LayoutSource> pack_layout(LayoutPack pack, std::string name, bool is_implied) {
  return std::make_shared<PackLayout>(std::move(pack), std::move(name), is_implied);
}

std::string build_mismatch(const LayoutSource& layout, const BuildIdOf& build_id_of) {
  // The kernel first: where that is another one, its modules say nothing new.
  for (auto module = type_modules.rbegin(); module != type_modules.rend(); ++module) {
    const std::string wanted = layout.build_id(*module);
    const std::string found = wanted.empty() ? "" : build_id_of(*module);
    if (!found.empty() && found != wanted)
      return fmt::format("{} is for {} of build-id {}, the target's is {}", layout.name(), *module,
                         wanted, found);
  }
  return "";
}

}  // namespace kvmscope
