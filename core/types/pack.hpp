// A layout pack: where one build of a kernel keeps what kvmscope's own commands read, as a file.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/open_log.hpp"
#include "core/types/layout_source.hpp"

namespace kvmscope {

// What a field is, as far as reading it depends on that.
enum class PackedKind { number, pointer, array, aggregate };

struct PackedField {
  std::string spelling;  // the path that this kernel has: "arch.active_mmu_pages"
  std::string type;      // as the debug info declares it: "struct list_head"
  PackedKind kind = PackedKind::number;
  std::uint64_t offset = 0;              // bytes from the start of the structure
  std::uint64_t size = 0;                // bytes; 0: a flexible array
  std::uint64_t bit_offset = 0;          // inside the bytes, for a bit field
  std::uint64_t bit_size = 0;            // 0: not a bit field
  std::optional<std::uint64_t> count{};  // elements of an array; none: flexible
  std::uint64_t element_size = 0;        // of an array, bytes
};

struct PackedStructure {
  std::string name;    // "struct kvm", "union kvm_mmu_page_role"
  std::string origin;  // the debug file it came from: "kvm", "vmlinux"
  std::uint64_t size = 0;
  std::vector<PackedField> fields = {};
};

struct PackedEnumeration {
  std::string name;
  std::string origin;
  std::vector<Enumerator> enumerators = {};
};

struct LayoutPack {
  std::string fields;   // which fields its maker asked for, see kvm::fields_version()
  std::string release;  // uname -r, for people; may be empty
  std::map<std::string, std::string, std::less<>> build_ids = {};  // hex, by module
  std::vector<PackedStructure> structures = {};
  std::vector<PackedEnumeration> enumerations = {};
  // Of vmlinux, at link time; 0: it has none of that name.
  std::map<std::string, std::uint64_t, std::less<>> symbols = {};
};

// FNV-1a, 64 bits: for damage and for names, not against an enemy.
std::uint64_t checksum(std::string_view text);

// Whether a file that starts so means to be a pack.
bool looks_like_pack(std::string_view start);

// One line "kvmscope-layout/1 CHECKSUM BYTES", then that many bytes of JSON.
std::string format_pack(const LayoutPack& pack);
// Throws Error{unavailable} that says what is wrong with `text`, the contents of the file `name`,
// and what to do: it is no pack, of another version, cut short, damaged, or its numbers make no
// sense (a field outside of its structure).
LayoutPack parse_pack(std::string_view text, const std::string& name);

// Of a file, for a kvmscope that asks for `fields`. Throws Error{unavailable}.
LayoutPack read_pack(const std::string& path, std::string_view fields, OpenLog* log = nullptr);
// Of one that is open; `path` is for messages.
LayoutPack read_pack(int fd, const std::string& path, std::string_view fields);

// A structure of it has each field as one member whose name is the whole path.
std::shared_ptr<LayoutSource> pack_layout(LayoutPack pack, std::string name,
                                          bool is_implied = false);

// Why the layout is not for the target; empty: nothing speaks against it.
std::string build_mismatch(const LayoutSource& layout, const BuildIdOf& build_id_of);

}  // namespace kvmscope
