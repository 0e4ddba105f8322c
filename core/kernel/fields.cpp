#include "core/kernel/fields.hpp"

#include <algorithm>
#include <variant>

#include "core/base/error.hpp"
#include "core/object/member_path.hpp"

namespace kvmscope {
namespace {

// Fields closer than this are read together: a read costs more than the bytes between.
constexpr std::uint64_t span_gap = 1024;
// A field larger than this is never copied as part of its structure.
constexpr std::uint64_t largest_copy = 4096;

}  // namespace

std::optional<FoundMember> find_path(const Types& types, const Type& aggregate,
                                     std::string_view path) {
  // A layout pack has what the path leads to as one member of that name.
  if (std::optional<FoundMember> whole = find_member(aggregate, path)) return whole;
  FoundMember at{&aggregate, 0, 0};
  for (const MemberStep& step : parse_member_path(path)) {
    if (const auto* name = std::get_if<std::string_view>(&step)) {
      const Type& container = types.complete(strip(*at.type));
      if (!is_aggregate(container)) return std::nullopt;
      const std::optional<FoundMember> member = find_member(container, *name);
      if (!member) return std::nullopt;
      at = {member->type, at.bit_offset + member->bit_offset, member->bit_size};
      continue;
    }
    const std::uint64_t index = std::get<std::uint64_t>(step);
    const Type& array = strip(*at.type);
    if (array.kind != TypeKind::array || (array.count && index >= *array.count))
      return std::nullopt;
    const Type& element = types.complete(strip(array.target.get()));
    at = {&array.target.get(), at.bit_offset + 8 * element.size * index, 0};
  }
  return at;
}

std::uint64_t Field::count() const {
  require(*this);
  return strip(*type).count.value_or(0);
}

std::uint64_t Field::element_size() const {
  require(*this);
  const Type& array = strip(*type);
  if (array.kind != TypeKind::array)
    throw_error(ErrorKind::corrupt, "{}.{} is not an array in this kernel", structure, spelling);
  return strip(array.target.get()).size;
}

void require(const Field& field) {
  if (!field.present())
    throw_error(ErrorKind::corrupt,
                "this kernel's {} has no member that kvmscope knows for this (see `layout`)",
                field.structure);
}

FieldGroup::FieldGroup(const Types& types, std::string_view structure)
    : types_(types), structure_(structure) {
  const bool is_union = structure.starts_with("union ");
  const std::string_view tag = structure.substr(structure.find(' ') + 1);
  const Types::Found found = types.find(is_union ? TypeKind::union_type : TypeKind::structure, tag);
  type_ = found.type;
  origin_ = found.origin;
  size_ = type_ != nullptr ? type_->size : 0;
}

Field FieldGroup::resolve(std::initializer_list<std::string_view> spellings, bool required,
                          bool copy) {
  Field field{.structure = structure_};
  for (const std::string_view spelling : spellings) {
    if (type_ == nullptr) break;
    const std::optional<FoundMember> found = find_path(types_, *type_, spelling);
    if (!found) continue;
    field.spelling = spelling;
    field.type = found->type;
    field.bit_size = found->bit_size;
    field.size = types_.complete(strip(*found->type)).size;
    field.offset = found->bit_offset / 8;
    field.bit_offset = found->bit_offset % 8;
    // The fewest bytes that hold the bits: the storage unit may reach beyond the struct.
    if (field.bit_size != 0) field.size = (field.bit_offset + field.bit_size + 7) / 8;
    break;
  }
  resolutions_.push_back({field, {spellings}, required, origin_});
  if (copy && field.present() && field.size <= largest_copy) cover(field);
  return field;
}

// Adds a field's bytes to the spans, joined with those that lie close.
void FieldGroup::cover(const Field& field) {
  std::uint64_t start = field.offset;
  std::uint64_t end = field.offset + field.size;
  std::erase_if(spans_, [&](const Span& span) {
    if (span.offset > end + span_gap || start > span.offset + span.size + span_gap) return false;
    start = std::min(start, span.offset);
    end = std::max(end, span.offset + span.size);
    return true;
  });
  const auto after = std::find_if(spans_.begin(), spans_.end(),
                                  [&](const Span& span) { return span.offset > start; });
  spans_.insert(after, {start, end - start});
}

// NOLINTNEXTLINE: what of small_ is used is filled below
StructCopy::StructCopy(const FieldGroup& group, const VirtReader& memory, VirtAddr at)
    : group_(&group), at_(at), tracker_(memory.tracks_use() ? &memory : nullptr) {
  if (group.spans().empty())
    throw_error(ErrorKind::corrupt, "the debug info has no {} (see `layout`)", group.structure());
  first_ = group.spans().front();
  for (const Span& span : group.spans()) size_ += span.size;
  if (size_ > small_.size()) large_.resize(size_);
  const MutableBytes into = large_.empty() ? MutableBytes(small_) : MutableBytes(large_);
  std::uint64_t done = 0;
  for (const Span& span : group.spans()) {
    memory.peek(at + span.offset, into.subspan(done, span.size));
    done += span.size;
  }
  if (tracker_ == nullptr && large_.empty() && first_.size >= 8) loadable_ = first_.size - 7;
}

Bytes StructCopy::later_bytes(const Field& field, std::uint64_t offset, std::uint64_t size) const {
  require(field);
  std::uint64_t before = 0;
  for (const Span& span : group_->spans()) {
    if (offset >= span.offset && offset + size <= span.offset + span.size)
      return data().subspan(before + offset - span.offset, size);
    before += span.size;
  }
  throw_error(ErrorKind::internal, "{}.{} was not copied", field.structure, field.spelling);
}

std::int64_t StructCopy::get_signed(const Field& field) const {
  const auto bits = std::clamp<std::uint64_t>(field.width(), 1, 64);
  return sign_extend(get(field), static_cast<unsigned>(bits));
}

std::uint64_t StructCopy::get(const Field& field, std::uint64_t index) const {
  const std::uint64_t size = field.element_size();
  if (index >= field.count())
    throw_error(ErrorKind::internal, "index {} outside {}.{}", index, field.structure,
                field.spelling);
  return load_unsigned(bytes(field, field.offset + index * size, size));
}

VirtAddr StructCopy::address_of(const Field& field) const {
  require(field);
  return at_ + field.offset;
}

std::string text_of(Bytes bytes) {
  const auto* text = reinterpret_cast<const char*>(bytes.data());
  return {text, std::find(text, text + bytes.size(), '\0')};
}

}  // namespace kvmscope
