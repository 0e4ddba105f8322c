#include "tests/support/fake_kernel_declarations.hpp"

#include <algorithm>
#include <cctype>
#include <optional>
#include <stdexcept>

#include "core/base/bits.hpp"

namespace kvmscope {
namespace {

std::uint64_t alignment_of(const Type& type) {
  switch (type.kind) {
    case TypeKind::array:
    case TypeKind::typedef_type: return alignment_of(type.target.get());
    case TypeKind::structure:
    case TypeKind::union_type: {
      std::uint64_t most = 1;
      for (const Member& member : type.members)
        most = std::max(most, alignment_of(member.type.get()));
      return most;
    }
    default: return std::max<std::uint64_t>(type.size, 1);
  }
}

// Where the members of one aggregate come to lie.
class Placement {
 public:
  explicit Placement(bool is_union) : is_union_(is_union) {}

  void add(const std::string& name, const Type& type, std::optional<std::uint64_t> bits) {
    const std::uint64_t unit = 8 * strip(type).size;
    std::uint64_t at = is_union_ ? 0 : next_bit_;
    if (!bits)
      at = align_up(at, 8 * alignment_of(type));
    else if (at / unit != (at + *bits - 1) / unit)
      at = align_up(at, unit);  // a bit field does not cross its storage unit
    next_bit_ = at + bits.value_or(unit);
    end_bit_ = std::max(end_bit_, next_bit_);
    alignment_ = std::max(alignment_, alignment_of(type));
    if (bits && name.empty()) return;  // padding
    members_.push_back({name, type, at / 8, at % 8, bits.value_or(0)});
  }

  std::uint64_t size() const { return align_up((end_bit_ + 7) / 8, alignment_); }
  std::vector<FakeMember> take() { return std::move(members_); }

 private:
  bool is_union_;
  std::uint64_t next_bit_ = 0;
  std::uint64_t end_bit_ = 0;
  std::uint64_t alignment_ = 1;
  std::vector<FakeMember> members_;
};

class Parser {
 public:
  Parser(FakeTypes& types, std::string_view text) : types_(types), text_(text) { advance(); }

  void run() {
    while (!token_.empty()) {
      type();
      expect(";");
    }
  }

 private:
  static bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

  void advance() {
    text_.remove_prefix(std::min(text_.find_first_not_of(" \n\t"), text_.size()));
    std::size_t size = text_.empty() ? 0 : 1;
    if (size == 1 && is_word(text_[0]))
      while (size < text_.size() && is_word(text_[size])) ++size;
    token_ = text_.substr(0, size);
    text_.remove_prefix(size);
  }
  bool take(std::string_view token) {
    if (token_ != token) return false;
    advance();
    return true;
  }
  [[noreturn]] void fail(std::string_view what) const {
    throw std::invalid_argument(std::string(what) + " at '" + std::string(token_) +
                                std::string(text_.substr(0, 60)) + "'");
  }
  void expect(std::string_view token) {
    if (!take(token)) fail("expected " + std::string(token));
  }
  std::string word() {
    const std::string taken(token_);
    if (taken.empty() || !is_word(taken[0])) fail("expected a word");
    advance();
    return taken;
  }
  std::uint64_t number() { return std::stoull(word(), nullptr, 0); }

  // A type before its declarator. A struct that is not defined yet can only be pointed to.
  TypeRef type() {
    const bool is_union = token_ == "union";
    if (is_union || token_ == "struct") {
      const std::string keyword = word();
      const std::string tag = token_ == "{" ? "" : word();
      if (token_ == "{") return aggregate(is_union, tag);
      return types_.named(keyword + " " + tag);
    }
    std::string name = word();
    while (token_ == "long" || token_ == "int" || token_ == "short" || token_ == "char")
      name += " " + word();
    return types_.named(name == "unsigned" ? "unsigned int" : name);
  }

  TypeRef aggregate(bool is_union, const std::string& tag) {
    Placement placement(is_union);
    expect("{");
    while (!take("}")) {
      const TypeRef base = type();
      do member(base, placement);
      while (take(","));
      expect(";");
    }
    const std::uint64_t size = placement.size();
    return is_union ? types_.union_type(tag, size, placement.take())
                    : types_.structure(tag, size, placement.take());
  }

  void member(TypeRef type, Placement& placement) {
    while (take("*")) type = types_.pointer(type);
    const std::string name = token_ == ";" || token_ == ":" ? "" : word();
    if (take(":")) return placement.add(name, type.get(), number());
    const TypeRef whole = array(type);
    if (!whole.get().is_complete) fail("'" + name + "' has an incomplete type before");
    placement.add(name, whole.get(), std::nullopt);
  }

  // Dimensions, outermost first: u64 rsvd[2][5].
  TypeRef array(TypeRef element) {
    if (!take("[")) return element;
    if (take("]")) return types_.flexible_array(array(element));
    const std::uint64_t count = number();
    expect("]");
    return types_.array(array(element), count);
  }

  FakeTypes& types_;
  std::string_view text_;
  std::string_view token_;
};

}  // namespace

void declare(FakeTypes& types, std::string_view text) {
  Parser(types, text).run();
}

}  // namespace kvmscope
