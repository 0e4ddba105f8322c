// What a snapshot says, as far as two of them are compared: small, sorted, with no text of its own
// where there are many.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "commands/snapshot/reader.hpp"

namespace kvmscope::snapshots {

struct RootState {
  std::string vcpu;  // "0", "0.guest_mmu"
  std::string slot;  // "current", "prev0", "current.pae2"
  bool valid = false;
  std::uint64_t hpa = 0, pgd = 0, level = 0;
  std::optional<std::uint64_t> gfn = {};
  std::optional<bool> invalid = {};  // what its page's role says; none: it has none, or it was lost
};

struct PageState {
  std::uint64_t sp = 0, gfn = 0;
  std::uint32_t role = 0;  // role.word
  std::uint8_t level = 0;
  bool unsync = false, invalid = false, obsolete = false;
  bool readable = true;  // else only `sp` is known

  // The word has a bit for invalid, wherever it is: the other facts tell whether it is the same.
  bool same_page(const PageState& other) const {
    return gfn == other.gfn && level == other.level &&
           (role == other.role || invalid != other.invalid);
  }
};

struct RunState {
  std::uint64_t first = 0, last = 0;  // addresses, inclusive
  std::uint8_t level = 0;
  std::uint8_t access = 0;  // as many bits as there are letters in access_letters
  bool operator==(const RunState&) const = default;
};
inline constexpr std::string_view access_letters = "rwxuD";  // D: dirty
inline constexpr std::uint8_t write_bit = 2, dirty_bit = 16;

struct TreeState {
  std::string name, domain;
  bool complete = true;
  std::vector<RunState> runs = {};
};

struct VmState {
  std::string id;      // its key in the document
  bool named = false;  // the key is the kernel's id, and not only an address
  std::uint64_t address = 0;
  std::string comm = {};
  std::map<std::string, std::string> vcpus = {};  // how each pages; empty: lost
  std::vector<RootState> roots = {};
  std::map<std::uint64_t, std::uint64_t> pages_by_level = {};
  std::optional<std::uint64_t> page_bytes = {};
  std::vector<PageState> pages = {};            // by sp
  std::map<std::string, TreeState> trees = {};  // by what KVM tells roots by: domain, gfn and role
  std::set<std::string> incomplete = {};        // sections
};

struct State {
  std::string name;  // of the file
  std::string depth, time, host, release, build_id;
  std::map<std::string, VmState> vms = {};  // by key in the document
  bool incomplete = false;                  // VMs may be missing

  bool has_pages() const { return depth == "pages" || depth == "trees"; }
  bool has_trees() const { return depth == "trees"; }
};

// Throws what read_snapshot() throws, and Error{unavailable} when there is more than there may be.
State read_state(Source& source);

}  // namespace kvmscope::snapshots
