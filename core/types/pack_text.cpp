// The text of a layout pack: written, and read with every number checked.

#include <algorithm>
#include <array>
#include <charconv>

#include <nlohmann/json.hpp>

#include "core/base/error.hpp"
#include "core/types/pack.hpp"
#include "core/types/type_modules.hpp"

namespace kvmscope {
namespace {

using Json = nlohmann::json;

constexpr std::string_view magic = "kvmscope-layout/";
constexpr std::uint64_t version = 1;
constexpr std::uint64_t largest_structure = 16 << 20;
constexpr std::uint64_t flexible_bytes = 4096;
constexpr std::uint64_t pointer_size = 8;
constexpr std::uint64_t largest_number = 16;
constexpr std::uint64_t most_bits = 64;
// As PackedKind has them.
constexpr std::array<std::string_view, 4> kind_names = {"number", "pointer", "array", "aggregate"};

// Knows the file that it reads, for messages.
class Reader {
 public:
  explicit Reader(const std::string& name) : name_(name) {}

  [[noreturn]] void refuse(std::string_view what) const {
    throw_error(ErrorKind::unavailable,
                "{} {}: copy it again, or make it again with `layout --save`", name_, what);
  }
  [[noreturn]] void bad(std::string_view what) const {
    refuse(fmt::format("is a layout pack that makes no sense ({})", what));
  }

  LayoutPack read(const Json& json) const;

 private:
  const Json& member(const Json& json, const char* key) const {
    const auto found = json.is_object() ? json.find(key) : json.end();
    if (!json.is_object() || found == json.end()) bad(fmt::format("it has no {}", key));
    return *found;
  }
  std::string text(const Json& json, const char* key) const {
    const Json& found = member(json, key);
    if (!found.is_string()) bad(fmt::format("its {} is no text", key));
    return found.get<std::string>();
  }
  std::uint64_t number(const Json& json, const char* key) const {
    const Json& found = member(json, key);
    if (!found.is_number_unsigned()) bad(fmt::format("its {} is no number", key));
    return found.get<std::uint64_t>();
  }
  const Json& list(const Json& json, const char* key) const {
    const Json& found = member(json, key);
    if (!found.is_array()) bad(fmt::format("its {} are no list", key));
    return found;
  }
  const Json& object(const Json& json, const char* key) const {
    const Json& found = member(json, key);
    if (!found.is_object()) bad(fmt::format("its {} are no object", key));
    return found;
  }
  std::string origin(const Json& json, const LayoutPack& pack) const {
    std::string origin = text(json, "origin");
    if (std::ranges::find(type_modules, origin) == type_modules.end())
      bad(fmt::format("{} is none of kvm's modules", origin));
    if (!pack.build_ids.contains(origin)) bad(fmt::format("it has no build-id of {}", origin));
    return origin;
  }
  PackedField field(const Json& json, const PackedStructure& structure) const;
  void check(const PackedField& field, const PackedStructure& structure) const;
  bool fits(const PackedField& field) const;
  PackedStructure structure(const Json& json, const LayoutPack& pack) const;
  PackedEnumeration enumeration(const Json& json, const LayoutPack& pack) const;

  const std::string& name_;
};

// Whether its size agrees with what it is.
bool Reader::fits(const PackedField& field) const {
  const bool has_elements = field.element_size != 0;
  switch (field.kind) {
    case PackedKind::number: return field.size != 0 && field.size <= largest_number;
    case PackedKind::pointer: return field.size == pointer_size && field.bit_size == 0;
    case PackedKind::aggregate: return field.bit_size == 0;
    case PackedKind::array:
      if (!field.count || *field.count == 0) return field.size == 0;
      return has_elements && field.size % field.element_size == 0 &&
             field.size / field.element_size == *field.count;
  }
  return false;
}

void Reader::check(const PackedField& field, const PackedStructure& structure) const {
  const auto wild = [&](std::string_view what) {
    bad(fmt::format("{}.{} {}", structure.name, field.spelling, what));
  };
  // An element of a flexible array (struct pid's numbers[0]) lies behind the end.
  const bool is_element = field.spelling.find('[') != std::string::npos;
  const std::uint64_t end = structure.size + (is_element ? flexible_bytes : 0);
  if (field.offset > end || field.size > end - field.offset)
    wild(fmt::format("lies outside of its {} bytes", structure.size));
  if (field.element_size > largest_structure || !fits(field)) wild("has an impossible size");
  const bool is_bits = field.bit_size != 0;
  if (field.bit_offset >= 8 || field.bit_size > most_bits || (!is_bits && field.bit_offset != 0) ||
      (is_bits && field.bit_offset + field.bit_size > 8 * field.size))
    wild("has impossible bits");
}

PackedField Reader::field(const Json& json, const PackedStructure& structure) const {
  PackedField field{.spelling = text(json, "spelling"), .type = text(json, "type")};
  const std::string kind = text(json, "kind");
  const auto* const named = std::find(kind_names.begin(), kind_names.end(), kind);
  if (named == kind_names.end()) bad(fmt::format("nothing is a {}", kind));
  field.kind = static_cast<PackedKind>(named - kind_names.begin());
  field.offset = number(json, "offset");
  field.size = number(json, "size");
  if (json.contains("bit_size")) {
    field.bit_offset = number(json, "bit_offset");
    field.bit_size = number(json, "bit_size");
  }
  if (json.contains("count")) field.count = number(json, "count");
  if (json.contains("element_size")) field.element_size = number(json, "element_size");
  check(field, structure);
  return field;
}

PackedStructure Reader::structure(const Json& json, const LayoutPack& pack) const {
  PackedStructure structure{.name = text(json, "name"), .origin = origin(json, pack)};
  if (!structure.name.starts_with("struct ") && !structure.name.starts_with("union "))
    bad(fmt::format("{} is no structure", structure.name));
  structure.size = number(json, "size");
  if (structure.size > largest_structure)
    bad(fmt::format("{} has {} bytes", structure.name, structure.size));
  for (const Json& item : list(json, "fields")) structure.fields.push_back(field(item, structure));
  return structure;
}

PackedEnumeration Reader::enumeration(const Json& json, const LayoutPack& pack) const {
  PackedEnumeration enumeration{.name = text(json, "name"), .origin = origin(json, pack)};
  for (const auto& [name, value] : object(json, "enumerators").items()) {
    if (!value.is_number_integer()) bad(fmt::format("{} is no number", name));
    enumeration.enumerators.push_back({name, value.get<std::int64_t>()});
  }
  return enumeration;
}

LayoutPack Reader::read(const Json& json) const {
  LayoutPack pack{.fields = text(json, "fields_version"), .release = text(json, "release")};
  for (const auto& [module, id] : object(json, "build_ids").items()) {
    if (!id.is_string()) bad("a build-id is no text");
    pack.build_ids.emplace(module, id.get<std::string>());
  }
  for (const Json& item : list(json, "structures"))
    pack.structures.push_back(structure(item, pack));
  for (const Json& item : list(json, "enumerations"))
    pack.enumerations.push_back(enumeration(item, pack));
  for (const auto& [name, address] : object(json, "symbols").items()) {
    if (!address.is_number_unsigned()) bad(fmt::format("symbol {} has no address", name));
    pack.symbols.emplace(name, address.get<std::uint64_t>());
  }
  return pack;
}

Json to_json(const PackedField& field) {
  Json json = {{"spelling", field.spelling},
               {"type", field.type},
               {"kind", kind_names[static_cast<std::size_t>(field.kind)]},
               {"offset", field.offset},
               {"size", field.size}};
  if (field.bit_size != 0) {
    json["bit_offset"] = field.bit_offset;
    json["bit_size"] = field.bit_size;
  }
  if (field.count) json["count"] = *field.count;
  if (field.kind == PackedKind::array) json["element_size"] = field.element_size;
  return json;
}

Json to_json(const PackedStructure& structure) {
  Json fields = Json::array();
  for (const PackedField& field : structure.fields) fields.push_back(to_json(field));
  return {{"name", structure.name},
          {"origin", structure.origin},
          {"size", structure.size},
          {"fields", std::move(fields)}};
}

Json to_json(const PackedEnumeration& enumeration) {
  Json enumerators = Json::object();
  for (const Enumerator& item : enumeration.enumerators) enumerators[item.name] = item.value;
  return {{"name", enumeration.name},
          {"origin", enumeration.origin},
          {"enumerators", std::move(enumerators)}};
}

// The next word of the first line; an empty one when there is none.
std::string_view take_word(std::string_view& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

std::optional<std::uint64_t> number_in(std::string_view word, int base) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value, base);
  if (error != std::errc{} || end != word.data() + word.size()) return std::nullopt;
  return value;
}

}  // namespace

std::uint64_t checksum(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char byte : text) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  return hash;
}

bool looks_like_pack(std::string_view start) {
  return start.starts_with(magic);
}

std::string format_pack(const LayoutPack& pack) {
  Json json = {{"fields_version", pack.fields}, {"release", pack.release},
               {"build_ids", pack.build_ids},   {"symbols", pack.symbols},
               {"structures", Json::array()},   {"enumerations", Json::array()}};
  for (const PackedStructure& structure : pack.structures)
    json["structures"].push_back(to_json(structure));
  for (const PackedEnumeration& enumeration : pack.enumerations)
    json["enumerations"].push_back(to_json(enumeration));
  const std::string body = json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
  return fmt::format("{}{} {:016x} {}\n{}", magic, version, checksum(body), body.size(), body);
}

LayoutPack parse_pack(std::string_view text, const std::string& name) {
  const Reader reader(name);
  if (!looks_like_pack(text))
    throw_error(ErrorKind::unavailable,
                "{} is no layout pack: `layout --save FILE.pack` makes one where debug files are",
                name);
  std::string_view line = text.substr(magic.size(), text.find('\n') - magic.size());
  const std::string_view body = text.substr(std::min(magic.size() + line.size() + 1, text.size()));
  const std::string_view made = take_word(line);
  if (number_in(made, 10) && number_in(made, 10) != version)
    throw_error(ErrorKind::unavailable,
                "{} is a layout pack of version {}, and this kvmscope reads version {}: make it "
                "again with its own `layout --save`",
                name, made, version);
  const std::optional<std::uint64_t> sum = number_in(take_word(line), 16);
  const std::optional<std::uint64_t> size = number_in(take_word(line), 10);
  if (!number_in(made, 10) || !sum || !size || !line.empty())
    reader.refuse("is a layout pack whose first line is damaged");
  if (body.size() < *size)
    reader.refuse(
        fmt::format("is a layout pack that is cut short ({} of {} bytes)", body.size(), *size));
  if (body.size() != *size || checksum(body) != *sum)
    reader.refuse("is a layout pack that is damaged (its checksum is another)");
  const Json json = Json::parse(body, nullptr, false);
  if (json.is_discarded()) reader.bad("it is no JSON");
  return reader.read(json);
}

}  // namespace kvmscope
