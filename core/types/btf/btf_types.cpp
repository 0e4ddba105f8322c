#include "core/types/btf/btf_types.hpp"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "core/base/error.hpp"
#include "core/base/file.hpp"
#include "core/types/base_type_name.hpp"

namespace kvmscope {
namespace {

// Types inside types, and names for names: deeper than this is a loop.
constexpr unsigned max_depth = 64;
constexpr std::uint64_t max_bit_field = 64;

std::optional<TypeKind> named_kind(const btf_type& type) {
  switch (btf_kind(&type)) {
    case BTF_KIND_INT:
    case BTF_KIND_FLOAT: return TypeKind::integer;  // as callers ask for any base type
    case BTF_KIND_STRUCT: return TypeKind::structure;
    case BTF_KIND_UNION: return TypeKind::union_type;
    case BTF_KIND_ENUM:
    case BTF_KIND_ENUM64: return TypeKind::enumeration;
    case BTF_KIND_TYPEDEF: return TypeKind::typedef_type;
    default: return std::nullopt;
  }
}

TypeKind kind_of(const btf_type& type) {
  switch (btf_kind(&type)) {
    case BTF_KIND_INT:
      return (btf_int_encoding(&type) & BTF_INT_BOOL) != 0 ? TypeKind::boolean : TypeKind::integer;
    case BTF_KIND_FLOAT: return TypeKind::floating;
    case BTF_KIND_PTR: return TypeKind::pointer;
    case BTF_KIND_ARRAY: return TypeKind::array;
    case BTF_KIND_FWD: return btf_kflag(&type) ? TypeKind::union_type : TypeKind::structure;
    case BTF_KIND_FUNC_PROTO: return TypeKind::function;
    default: return named_kind(type).value_or(TypeKind::void_type);
  }
}

// libbpf takes the length of the header as it stands, and turns bytes of the other order around.
void check_header(Bytes data, const std::string& name) {
  btf_header header{};
  const auto fail = [&](std::string_view what) {
    throw_error(ErrorKind::corrupt, "{} is no BTF: {}", name, what);
  };
  if (data.size() < sizeof header || data.size() > UINT32_MAX) fail("its size makes no sense");
  std::memcpy(&header, data.data(), sizeof header);
  if (header.magic != BTF_MAGIC || header.version != BTF_VERSION) fail("it does not begin so");
  const std::uint64_t types_end = std::uint64_t{header.type_off} + header.type_len;
  const std::uint64_t strings_end = std::uint64_t{header.str_off} + header.str_len;
  if (header.hdr_len != sizeof header || types_end > data.size() - sizeof header ||
      strings_end > data.size() - sizeof header)
    fail("its parts lie outside of it");
}

int no_message(libbpf_print_level, const char*, va_list) {
  return 0;
}

// Debian 12's libbpf declares btf__new_split and does not have it: a module's is taken from files
// only.
btf* open_split(Bytes data, btf* base) {
  const FileDescriptor file(memfd_create("btf", MFD_CLOEXEC));
  const auto size = static_cast<ssize_t>(data.size());
  if (write(file.get(), data.data(), data.size()) != size) return nullptr;
  return btf__parse_raw_split(fmt::format("/proc/self/fd/{}", file.get()).c_str(), base);
}

}  // namespace

void BtfTypes::Close::operator()(btf* handle) const {
  btf__free(handle);
}

BtfTypes::BtfTypes(Bytes data, std::string name, const BtfTypes* base)
    : name_(std::move(name)), base_(base) {
  check_header(data, name_);
  libbpf_set_print(no_message);  // the errors are ours to tell
  btf_.reset(base != nullptr ? open_split(data, base->btf_.get())
                             : btf__new(data.data(), static_cast<std::uint32_t>(data.size())));
  if (!btf_) throw_error(ErrorKind::corrupt, "{} is damaged: {}", name_, std::strerror(errno));
  if (base != nullptr) first_ = btf__type_cnt(base->btf_.get());
  for (Id id = first_; id < btf__type_cnt(btf_.get()); ++id) {
    const btf_type& type = at(id);
    if (!named_kind(type) || type.name_off == 0) continue;
    const char* text = btf__name_by_offset(btf_.get(), type.name_off);
    if (text == nullptr) damaged(id, "its name is nowhere");
    by_name_.emplace(text, id);
  }
}

BtfTypes::~BtfTypes() = default;

const Type* BtfTypes::find(TypeKind kind, std::string_view name) const {
  const auto [begin, end] = by_name_.equal_range(name);
  const bool is_base = kind == TypeKind::integer;
  for (auto found = begin; found != end; ++found)
    if (named_kind(at(found->second)) == kind) return &load(found->second);
  if (!is_base || !is_base_type_name(name)) return nullptr;
  // "unsigned long" is "long unsigned int" here.
  const std::string wanted = base_type_name(name);
  for (const auto& [spelling, id] : by_name_)
    if (named_kind(at(id)) == kind && base_type_name(spelling) == wanted) return &load(id);
  return nullptr;
}

std::vector<std::string> BtfTypes::names(TypeKind kind, std::string_view prefix,
                                         std::size_t limit) const {
  std::set<std::string> found;
  for (const auto& [name, id] : by_name_)
    if (name.starts_with(prefix) && named_kind(at(id)) == kind) found.emplace(name);
  std::vector<std::string> names(found.begin(), found.end());
  names.resize(std::min(names.size(), limit));
  return names;
}

void BtfTypes::damaged(Id id, std::string_view what) const {
  throw_error(ErrorKind::corrupt, "{} is damaged: type {}: {}", name_, id, what);
}

const btf_type& BtfTypes::at(Id id) const {
  const btf_type* type = btf__type_by_id(btf_.get(), id);
  if (type == nullptr) damaged(id, "there is none of that number");
  return *type;
}

std::string BtfTypes::name_at(std::uint32_t offset) const {
  const char* text = btf__name_by_offset(btf_.get(), offset);
  if (text == nullptr) throw_error(ErrorKind::corrupt, "{} is damaged: a name is nowhere", name_);
  return text;
}

BtfTypes::Id BtfTypes::strip_id(Id id, bool typedefs) const {
  for (unsigned depth = 0; depth < max_depth; ++depth) {
    const btf_type& type = at(id);
    const bool passes = btf_is_mod(&type) || btf_is_type_tag(&type) ||
                        (typedefs && btf_kind(&type) == BTF_KIND_TYPEDEF);
    if (!passes) return id;
    id = type.type;
  }
  damaged(id, "names for names without an end");
}

// libbpf finds loops, and checks multiplications.
std::uint64_t BtfTypes::size_of(Id id) const {
  const Id bare = strip_id(id, true);
  const btf_type& type = at(bare);
  const bool has_size = btf_is_array(&type) || btf_is_ptr(&type) || named_kind(type).has_value();
  if (!has_size) return 0;
  const std::int64_t size = btf__resolve_size(btf_.get(), bare);
  if (size < 0) damaged(id, "its size makes no sense");
  return btf_is_ptr(&type) ? sizeof(std::uint64_t) : static_cast<std::uint64_t>(size);
}

// const and volatile are dropped; 0 is void.
TypeRef BtfTypes::ref(Id id) const {
  const Id bare = strip_id(id, false);
  return bare == 0 ? TypeRef() : TypeRef(static_cast<const TypeLoader&>(*this), bare);
}

const Type& BtfTypes::load(std::uint64_t token) const {
  const Id id = static_cast<Id>(token);
  if (base_ != nullptr && id < first_) return base_->load(id);
  const auto known = by_id_.find(id);
  if (known != by_id_.end()) return *known->second;
  check_chain(id);
  check_nesting(id, 0);
  const Type& type = types_.emplace_back(read(id));
  by_id_.emplace(id, &type);
  return type;
}

void BtfTypes::check_chain(Id id) const {
  const Id start = id;
  for (unsigned depth = 0; depth < max_depth; ++depth) {
    const btf_type& type = at(id);
    if (btf_is_array(&type))
      id = ::btf_array(&type)->type;
    else if (btf_is_ptr(&type) || btf_is_mod(&type) || btf_is_type_tag(&type) ||
             btf_is_typedef(&type) || btf_is_func_proto(&type))
      id = type.type;
    else
      return;
  }
  damaged(start, "a type that leads to itself");
}

void BtfTypes::check_nesting(Id id, unsigned depth) const {
  const Id bare = strip_id(id, true);
  const btf_type& type = at(bare);
  if (depth == max_depth) damaged(id, "a type that contains itself");
  if (btf_is_array(&type)) return check_nesting(btf_array(&type)->type, depth + 1);
  if (!btf_is_composite(&type) || nested_.contains(bare)) return;
  for (std::uint16_t i = 0; i < btf_vlen(&type); ++i)
    check_nesting(btf_members(&type)[i].type, depth + 1);
  nested_.insert(bare);
}

Type BtfTypes::read(Id id) const {
  const btf_type& source = at(id);
  Type type;
  type.kind = kind_of(source);
  if (type.kind == TypeKind::void_type) return type;
  if (source.name_off != 0) type.name = name_at(source.name_off);
  type.is_complete = btf_kind(&source) != BTF_KIND_FWD;
  type.size = size_of(id);
  switch (btf_kind(&source)) {
    case BTF_KIND_INT: read_integer(id, type); break;
    case BTF_KIND_FLOAT: type.name = base_type_name(type.name); break;
    case BTF_KIND_ARRAY: read_array(id, type); break;
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION: read_members(id, type); break;
    case BTF_KIND_ENUM:
    case BTF_KIND_ENUM64: read_enumerators(id, type); break;
    case BTF_KIND_PTR:
    case BTF_KIND_TYPEDEF:
    case BTF_KIND_FUNC_PROTO: type.target = ref(source.type); break;
    default: break;
  }
  return type;
}

void BtfTypes::read_integer(Id id, Type& type) const {
  type.name = base_type_name(type.name);
  type.is_signed = (btf_int_encoding(&at(id)) & BTF_INT_SIGNED) != 0;
}

void BtfTypes::read_array(Id id, Type& type) const {
  const struct btf_array& array = *::btf_array(&at(id));
  type.target = ref(array.type);
  if (!type.target) damaged(id, "an array of void");
  // BTF does not tell `[]` from `[0]`.
  if (array.nelems != 0) type.count = array.nelems;
}

void BtfTypes::read_members(Id id, Type& type) const {
  for (std::uint16_t i = 0; i < btf_vlen(&at(id)); ++i)
    type.members.push_back(read_member(id, i, type.size));
}

Member BtfTypes::read_member(Id id, std::uint16_t index, std::uint64_t size) const {
  const btf_type& type = at(id);
  const btf_member& source = btf_members(&type)[index];
  Member member;
  if (source.name_off != 0) member.name = name_at(source.name_off);
  member.type = ref(source.type);
  if (!member.type) damaged(id, "a member of type void");
  member.bit_offset = btf_member_bit_offset(&type, index);
  member.bit_size = btf_member_bitfield_size(&type, index);
  const btf_type& bare = at(strip_id(source.type, true));
  const std::uint64_t bytes = size_of(source.type);
  // Without the flag an integer of fewer bits than its bytes have makes a bit field.
  if (!btf_kflag(&type) && btf_is_int(&bare) && btf_int_bits(&bare) != bytes * 8) {
    member.bit_size = btf_int_bits(&bare);
    member.bit_offset += btf_int_offset(&bare);
  }
  const std::uint64_t bits = member.bit_size != 0 ? member.bit_size : bytes * 8;
  if (member.bit_size > max_bit_field || bits > size * 8 || member.bit_offset > size * 8 - bits ||
      (member.bit_size == 0 && member.bit_offset % 8 != 0))
    damaged(id, "a member that lies outside of it");
  return member;
}

void BtfTypes::read_enumerators(Id id, Type& type) const {
  const btf_type& source = at(id);
  type.is_signed = btf_kflag(&source);
  const auto value_of = [&](std::uint16_t i) -> Enumerator {
    if (btf_kind(&source) == BTF_KIND_ENUM64) {
      const struct btf_enum64* wide = ::btf_enum64(&source) + i;
      return {name_at(wide->name_off), static_cast<std::int64_t>(btf_enum64_value(wide))};
    }
    const struct btf_enum& narrow = ::btf_enum(&source)[i];
    return {name_at(narrow.name_off),
            type.is_signed ? narrow.val : std::int64_t{static_cast<std::uint32_t>(narrow.val)}};
  };
  for (std::uint16_t i = 0; i < btf_vlen(&source); ++i) type.enumerators.push_back(value_of(i));
}

}  // namespace kvmscope
