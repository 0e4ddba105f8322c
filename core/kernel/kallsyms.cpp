#include "core/kernel/kallsyms.hpp"

#include <algorithm>
#include <span>

#include "core/base/error.hpp"
#include "core/base/interrupt.hpp"

namespace kvmscope {
namespace {

constexpr std::size_t token_count = 256;
constexpr std::uint64_t most_symbols = 4'000'000;
constexpr std::uint64_t most_names_bytes = 64 << 20;

std::uint64_t place(const VmCoreInfo& info, std::string_view name) {
  const std::optional<std::uint64_t> address = info.symbol(name);
  if (!address) throw_error(ErrorKind::unavailable, "VMCOREINFO has no SYMBOL({})", name);
  return *address;
}

// The expansions of the 256 tokens: strings one after the other, found through an index.
std::vector<std::string> read_tokens(const VmCoreInfo& info, const VirtReader& memory) {
  std::array<std::uint16_t, token_count> index{};
  memory.read({place(info, "kallsyms_token_index")}, std::as_writable_bytes(std::span(index)));
  const std::size_t longest = 512;
  std::vector<char> text(*std::max_element(index.begin(), index.end()) + longest);
  memory.read({place(info, "kallsyms_token_table")}, std::as_writable_bytes(std::span(text)));
  std::vector<std::string> tokens;
  for (const std::uint16_t at : index) {
    const auto end = std::find(text.begin() + at, text.end(), '\0');
    tokens.emplace_back(text.begin() + at, end);
  }
  return tokens;
}

// Each name is a length (bit 7: a second byte follows) and that many token numbers.
// Where the names end is not recorded, so they are measured while they are read.
std::vector<std::byte> read_names(const VirtReader& memory, VirtAddr at, std::uint64_t count) {
  std::vector<std::byte> names;
  std::size_t next = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    while (next + 2 > names.size()) {
      if (names.size() > most_names_bytes)
        throw_error(ErrorKind::corrupt, "kallsyms_names at {:#x} does not end", at.value);
      const std::size_t old = names.size();
      names.resize(old + 2 * page_size - ((at.value + old) & page_offset_mask));
      memory.read(at + old, MutableBytes(names).subspan(old));
    }
    std::size_t length = std::to_integer<std::size_t>(names[next]);
    next += 1;
    if (length & 0x80) length = (length & 0x7f) | std::to_integer<std::size_t>(names[next++]) << 7;
    next += length;
  }
  while (next > names.size()) {
    const std::size_t old = names.size();
    names.resize(next);
    memory.read(at + old, MutableBytes(names).subspan(old));
  }
  return names;
}

}  // namespace

bool Kallsyms::available(const VmCoreInfo& info) {
  return info.symbol("kallsyms_names") && info.symbol("kallsyms_num_syms") &&
         info.symbol("kallsyms_token_table") && info.symbol("kallsyms_token_index") &&
         info.symbol("kallsyms_offsets") && info.symbol("kallsyms_relative_base");
}

Kallsyms::Kallsyms(const VmCoreInfo& info, const VirtReader& memory,
                   std::vector<std::string> wanted)
    : info_(info), wanted_(std::move(wanted)) {
  with_context([] { return "reading kallsyms"; },
               [&] {
                 const auto count = memory.value<std::uint32_t>({place(info, "kallsyms_num_syms")});
                 if (count == 0 || count > most_symbols)
                   throw_error(ErrorKind::corrupt, "kallsyms_num_syms is {}", count);
                 tokens_ = read_tokens(info, memory);
                 names_ = read_names(memory, {place(info, "kallsyms_names")}, count);
                 offsets_.resize(count);
                 memory.read({place(info, "kallsyms_offsets")},
                             std::as_writable_bytes(std::span(offsets_)));
                 base_ = memory.u64({place(info, "kallsyms_relative_base")});
                 first_pass();
               });
}

void Kallsyms::each(const std::function<bool(const Entry&)>& visit) const {
  std::string name;
  std::size_t next = 0;
  for (std::uint64_t index = 0; index < offsets_.size(); ++index) {
    if (index % 4096 == 0) check_interrupt();
    std::size_t length = std::to_integer<std::size_t>(names_[next++]);
    if (length & 0x80) length = (length & 0x7f) | std::to_integer<std::size_t>(names_[next++]) << 7;
    name.clear();
    for (std::size_t i = 0; i < length; ++i)
      name += tokens_[std::to_integer<std::size_t>(names_[next + i])];
    next += length;
    if (name.empty()) continue;
    if (!visit({index, name[0], std::string_view(name).substr(1)})) return;
  }
}

// Finds the wanted names, and how addresses are encoded: of the two ways, the one
// that gives _stext the address that VMCOREINFO has for it.
void Kallsyms::first_pass() {
  std::map<std::string, Entry, std::less<>> entries;
  std::uint64_t known_index = 0;
  const std::uint64_t known = place(info_, "_stext");
  bool known_found = false;
  each([&](const Entry& entry) {
    if (entry.name == "_stext") {
      known_index = entry.index;
      known_found = true;
    }
    if (std::find(wanted_.begin(), wanted_.end(), entry.name) != wanted_.end())
      entries.emplace(entry.name, Entry{entry.index, entry.type, {}});
    return true;
  });
  if (!known_found) throw_error(ErrorKind::corrupt, "kallsyms has no _stext");
  encoding_ = address_of(known_index, Encoding::absolute_percpu) == known
                  ? Encoding::absolute_percpu
                  : Encoding::relative;
  if (address_of(known_index, encoding_) != known)
    throw_error(ErrorKind::corrupt, "kallsyms encodes addresses in a way that is not known");
  for (const std::string& name : wanted_) {
    const auto entry = entries.find(name);
    if (entry == entries.end())
      found_.emplace(name, std::nullopt);
    else
      found_.emplace(name, symbol({entry->second.index, entry->second.type, name}));
  }
}

std::uint64_t Kallsyms::address_of(std::uint64_t index, Encoding encoding) const {
  const std::int32_t offset = offsets_[index];
  // CONFIG_KALLSYMS_ABSOLUTE_PERCPU, until 6.15: negative offsets are relative.
  if (encoding == Encoding::absolute_percpu)
    return offset >= 0 ? static_cast<std::uint64_t>(offset)
                       : base_ - 1 - static_cast<std::uint64_t>(static_cast<std::int64_t>(offset));
  return base_ + static_cast<std::uint32_t>(offset);
}

Symbol Kallsyms::symbol(const Entry& entry) const {
  return {std::string(entry.name), address_of(entry.index, encoding_), 0, entry.type, ""};
}

std::optional<Symbol> Kallsyms::find(std::string_view name) const {
  const auto known = found_.find(name);
  if (known != found_.end()) return known->second;
  std::optional<Symbol> result;
  each([&](const Entry& entry) {
    if (entry.name == name) result = symbol(entry);
    return !result;
  });
  found_.emplace(std::string(name), result);
  return result;
}

std::optional<Symbol> Kallsyms::nearest(std::uint64_t address) const {
  std::optional<std::uint64_t> best;
  std::uint64_t best_address = 0;
  for (std::uint64_t index = 0; index < offsets_.size(); ++index) {
    const std::uint64_t start = address_of(index, encoding_);
    if (start > address || (best && start <= best_address)) continue;
    best = index;
    best_address = start;
  }
  if (!best) return std::nullopt;
  std::optional<Symbol> result;
  each([&](const Entry& entry) {
    if (entry.index == *best) result = symbol(entry);
    return !result;
  });
  return result;
}

std::vector<std::string> Kallsyms::names(std::string_view prefix, std::size_t limit) const {
  std::vector<std::string> result;
  each([&](const Entry& entry) {
    if (entry.name.starts_with(prefix)) result.emplace_back(entry.name);
    return result.size() < limit;
  });
  return result;
}

}  // namespace kvmscope
