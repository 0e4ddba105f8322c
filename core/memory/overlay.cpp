// A dump with bytes planted over it, for trying out what damage does.

#include <algorithm>
#include <charconv>
#include <cstring>
#include <fstream>
#include <map>
#include <optional>
#include <string_view>

#include "core/base/error.hpp"
#include "core/memory/dump.hpp"

namespace kvmscope {
namespace {

// Planted bytes by their first address; runs neither overlap nor touch.
using Runs = std::map<std::uint64_t, std::vector<std::byte>>;

class OverlayMemory final : public PhysReader {
 public:
  OverlayMemory(const PhysReader& base, Runs runs) : base_(base), runs_(std::move(runs)) {}

  void read(PhysAddr at, MutableBytes into) const override {
    ++counts_.reads;
    counts_.bytes += into.size();
    while (!into.empty()) {
      const auto after = runs_.upper_bound(at.value);
      const std::size_t planted = after == runs_.begin() ? 0 : plant(*std::prev(after), at, into);
      // Memory that is missing below is there where it is planted.
      const std::size_t count = planted != 0 ? planted : distance(at, after, into.size());
      if (planted == 0) base_.read(at, into.first(count));
      into = into.subspan(count);
      at += count;
    }
  }

  const ReadCounts& counts() const { return counts_; }

 private:
  // Copies what `run` has from `at` on; returns how much, 0 when `at` is behind it.
  static std::size_t plant(const Runs::value_type& run, PhysAddr at, MutableBytes into) {
    const std::uint64_t inside = at.value - run.first;
    if (inside >= run.second.size()) return 0;
    const std::size_t count = std::min<std::size_t>(into.size(), run.second.size() - inside);
    std::memcpy(into.data(), run.second.data() + inside, count);
    return count;
  }

  std::size_t distance(PhysAddr at, Runs::const_iterator next, std::size_t limit) const {
    return next == runs_.end() ? limit : std::min<std::size_t>(limit, next->first - at.value);
  }

  const PhysReader& base_;
  Runs runs_;
  mutable ReadCounts counts_;
};

class OverlayDump final : public Dump {
 public:
  OverlayDump(std::unique_ptr<Dump> base, Runs runs, std::string note)
      : base_(std::move(base)), memory_(base_->memory(), std::move(runs)), note_(std::move(note)) {}

  const PhysReader& memory() const override { return memory_; }
  std::optional<std::string> vmcoreinfo() const override { return base_->vmcoreinfo(); }
  std::string format() const override { return base_->format(); }
  std::vector<PhysRange> ranges() const override { return base_->ranges(); }
  std::vector<std::string> notes() const override {
    std::vector<std::string> notes = base_->notes();
    notes.push_back(note_);
    return notes;
  }
  ReadCounts counts() const override { return memory_.counts(); }

 private:
  std::unique_ptr<Dump> base_;
  OverlayMemory memory_;
  std::string note_;
};

struct Line {
  std::uint64_t address = 0;
  std::vector<std::byte> bytes;
};

// The next word of `text`, which it loses; empty at the end.
std::string_view next_word(std::string_view& text) {
  constexpr std::string_view blanks = " \t\r";
  text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
  const std::string_view word = text.substr(0, text.find_first_of(blanks));
  text.remove_prefix(word.size());
  return word;
}

bool parse_hex(std::string_view digits, std::uint64_t& value) {
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value, 16);
  return error == std::errc() && stop == end;
}

// None when the line is empty. Throws Error{unavailable} that says what is wrong with it.
std::optional<Line> parse_line(std::string_view text) {
  text = text.substr(0, text.find('#'));
  const std::string_view address = next_word(text);
  if (address.empty()) return std::nullopt;
  Line line;
  if (!address.starts_with("0x") || !parse_hex(address.substr(2), line.address))
    throw_error(ErrorKind::unavailable, "'{}' is no address (0x…)", address);
  for (std::string_view word = next_word(text); !word.empty(); word = next_word(text)) {
    if (word.size() % 2 != 0)
      throw_error(ErrorKind::unavailable, "'{}' has an odd number of hex digits", word);
    for (std::size_t i = 0; i < word.size(); i += 2) {
      std::uint64_t value = 0;
      if (!parse_hex(word.substr(i, 2), value))
        throw_error(ErrorKind::unavailable, "'{}' is not a byte in hex", word.substr(i, 2));
      line.bytes.push_back(static_cast<std::byte>(value));
    }
  }
  if (line.bytes.empty()) throw Error(ErrorKind::unavailable, "no bytes behind the address");
  if (line.address + line.bytes.size() < line.address)
    throw Error(ErrorKind::unavailable, "the bytes go beyond the last address");
  return line;
}

// Single bytes, so that a later line replaces what an earlier one planted.
std::map<std::uint64_t, std::byte> read_bytes(const std::string& path, OpenLog* log) {
  std::ifstream file(path);
  if (!file) throw_error(ErrorKind::unavailable, "cannot open {}: {}", path, std::strerror(errno));
  if (log != nullptr) log->add(path, OpenedFor::reading);
  std::map<std::uint64_t, std::byte> planted;
  std::string text;
  for (unsigned number = 1; std::getline(file, text); ++number) {
    const std::optional<Line> line = with_context(
        [&] { return fmt::format("{} line {}", path, number); }, [&] { return parse_line(text); });
    if (!line) continue;
    for (std::size_t i = 0; i < line->bytes.size(); ++i)
      planted[line->address + i] = line->bytes[i];
  }
  if (file.bad()) throw_error(ErrorKind::unavailable, "cannot read {}", path);
  return planted;
}

Runs join(const std::map<std::uint64_t, std::byte>& planted) {
  Runs runs;
  std::uint64_t expected = 0;
  std::vector<std::byte>* run = nullptr;
  for (const auto& [address, byte] : planted) {
    if (run == nullptr || address != expected) run = &runs[address];
    run->push_back(byte);
    expected = address + 1;
  }
  return runs;
}

}  // namespace

std::unique_ptr<Dump> overlay_dump(std::unique_ptr<Dump> base, const std::string& path,
                                   OpenLog* log) {
  const std::map<std::uint64_t, std::byte> planted = read_bytes(path, log);
  std::string note =
      fmt::format("{} bytes are planted over the dump from {}", planted.size(), path);
  return std::make_unique<OverlayDump>(std::move(base), join(planted), std::move(note));
}

}  // namespace kvmscope
