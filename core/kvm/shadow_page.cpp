#include "core/kvm/shadow_page.hpp"

#include "core/base/error.hpp"

namespace kvmscope::kvm {
namespace {

constexpr unsigned deepest_level = 5;  // PT64_ROOT_MAX_LEVEL

bool flag(const StructCopy& copy, const Field& field) {
  return copy.find(field).value_or(0) != 0;
}

std::uint64_t bits_of(const Field& field, std::uint32_t word) {
  if (!field.present()) return 0;
  const std::uint64_t shift = 8 * field.offset + field.bit_offset;
  return (word >> shift) & low_bits(static_cast<unsigned>(field.width()));
}

}  // namespace

std::string Role::access_text() const {
  std::string text;
  text += access & 2 ? 'w' : '-';
  text += access & 4 ? 'u' : '-';
  text += access & 1 ? 'x' : '-';
  return text;
}

std::string Role::text() const {
  // Without fmt: a tenth of the time of a list of pages went into reading a format.
  std::string text = has_4_byte_gpte ? "4-byte q" : "8-byte q";
  text += std::to_string(quadrant);
  text += direct ? " direct " : " ";
  text += access_text();
  text += invalid ? " invalid" : "";
  text += efer_nx ? " nxe" : " !nxe";
  text += ad_disabled ? " !ad" : " ad";
  return text;
}

Role decode_role(const RoleFields& fields, std::uint32_t word) {
  Role role;
  role.word = word;
  role.level = static_cast<unsigned>(bits_of(fields.level, word));
  role.has_4_byte_gpte = fields.has_4_byte_gpte.present()
                             ? bits_of(fields.has_4_byte_gpte, word) != 0
                             : bits_of(fields.has_8_byte_gpte, word) == 0;
  role.quadrant = static_cast<unsigned>(bits_of(fields.quadrant, word));
  role.direct = bits_of(fields.direct, word) != 0;
  role.access = static_cast<unsigned>(bits_of(fields.access, word));
  role.invalid = bits_of(fields.invalid, word) != 0;
  role.efer_nx = bits_of(fields.efer_nx, word) != 0;
  role.ad_disabled = bits_of(fields.ad_disabled, word) != 0;
  role.guest_mode = bits_of(fields.guest_mode, word) != 0;
  role.passthrough = bits_of(fields.passthrough, word) != 0;
  role.smm = static_cast<unsigned>(bits_of(fields.smm, word));
  return role;
}

ShadowPage decode_page(const PageFields& fields, const Role& role, const StructCopy& copy) {
  ShadowPage page;
  page.address = copy.address();
  page.role = role;
  if (page.level() < 1 || page.level() > deepest_level)
    throw_error(ErrorKind::corrupt, "the shadow page at {:#x} claims level {}", page.address.value,
                page.level());
  page.gfn = {copy.get(fields.gfn)};
  page.spt = copy.pointer(fields.spt);
  page.tdp_mmu = flag(copy, fields.tdp_mmu_page);
  page.unsync = flag(copy, fields.unsync);
  if (const Bytes links = copy.peek(fields.hash_link); links.size() == sizeof page.hash_link)
    page.hash_link = load<HashLinks>(links);
  page.nx_huge_disallowed = flag(copy, fields.nx_huge_page_disallowed);
  page.root_count = page.tdp_mmu && fields.tdp_root_count.present()
                        ? copy.get_signed(fields.tdp_root_count)
                        : copy.get_signed(fields.root_count);
  if (page.tdp_mmu) {
    page.ptep = {copy.find(fields.ptep).value_or(0)};
    return page;
  }
  page.valid_gen = static_cast<std::uint8_t>(copy.find(fields.valid_gen).value_or(0));
  page.parent_ptes = copy.get(fields.parent_ptes);
  page.unsync_children = copy.get(fields.unsync_children);
  const Bytes bitmap = copy.bytes(fields.unsync_child_bitmap);
  if (bitmap.size() != sizeof page.unsync_child_bitmap)
    throw_error(ErrorKind::corrupt, "unsync_child_bitmap has {} bytes", bitmap.size());
  page.unsync_child_bitmap = load<decltype(page.unsync_child_bitmap)>(bitmap);
  page.gfn_table_has_access = fields.shadowed_translation.present();
  page.gfn_table = {
      copy.find(fields.shadowed_translation).value_or(copy.find(fields.gfns).value_or(0))};
  return page;
}

}  // namespace kvmscope::kvm
