#include "commands/snapshot/reader.hpp"

#include <array>
#include <charconv>
#include <iterator>

#include <nlohmann/json.hpp>

#include "commands/snapshot/document.hpp"
#include "core/base/error.hpp"

namespace kvmscope::snapshots {
namespace {

using Json = nlohmann::json;

constexpr std::size_t deepest = 16;

// What an open object or list is.
enum class Kind { document, group, vms, vm, list, record, value };

struct Open {
  Kind kind = Kind::value;
  std::string key;       // that it stands under; of an item: the list's
  std::size_t fields{};  // of a record: which
  bool sent = false;     // of a record: that it was
};

// Called by the parser with one token after the other.
class Handler {
 public:
  Handler(Source& source, const Visitor& visitor) : source_(source), visitor_(visitor) {}

  bool null() {
    return take([](Scalar&) {});
  }
  bool boolean(bool flag) {
    return take([&](Scalar& value) { value.kind = Scalar::Kind::flag, value.bits = flag; });
  }
  bool number_integer(Json::number_integer_t number) {
    return number_unsigned(static_cast<std::uint64_t>(number));
  }
  bool number_unsigned(Json::number_unsigned_t number) {
    return take([&](Scalar& value) { value.kind = Scalar::Kind::number, value.bits = number; });
  }
  bool number_float(Json::number_float_t, const std::string&) { return null(); }
  bool string(std::string& text) {
    return take([&](Scalar& value) {
      if (value.kind == Scalar::Kind::text && !value.text.empty())
        value.text += ',';  // one more of a list
      else
        value.text.clear();
      value.kind = Scalar::Kind::text;
      value.text += text;
    });
  }
  bool binary(Json::binary_t&) { return null(); }
  bool key(std::string& text) {
    source_.progressed();
    key_ = text;
    return true;
  }
  bool start_object(std::size_t) { return open(true); }
  bool start_array(std::size_t) { return open(false); }
  bool end_object() {
    if (Open& ended = open_.back(); ended.kind == Kind::record) {
      if (ended.sent) ended.key += "/end";
      ended.sent = false;
      send(ended);
      --records_;
    }
    open_.pop_back();
    return true;
  }
  bool end_array() {
    open_.pop_back();
    return true;
  }
  bool parse_error(std::size_t at, const std::string&, const Json::exception&) {
    if (!has_schema_) not_a_snapshot("");
    throw_error(ErrorKind::unavailable, "{} {} (byte {})", source_.name(),
                source_.ended() ? "is cut short" : "is damaged: it is no JSON", at);
  }
  bool has_schema() const { return has_schema_; }
  [[noreturn]] void not_a_snapshot(std::string_view found) const {
    if (found.empty())
      throw_error(ErrorKind::unavailable, "{} is no snapshot of kvmscope", source_.name());
    throw_error(ErrorKind::unavailable,
                "{} has the schema '{}', and this kvmscope reads {}: use the one that wrote it",
                source_.name(), found.substr(0, 100), schema);
  }

 private:
  Kind kind_of(bool object) const {
    if (open_.empty()) return object ? Kind::document : Kind::value;
    const Open& parent = open_.back();
    switch (parent.kind) {
      case Kind::document:
        if (!object) return Kind::list;
        return key_ == "vms" ? Kind::vms : Kind::group;
      case Kind::group: return object ? Kind::group : Kind::list;
      case Kind::vms: return object ? Kind::vm : Kind::value;
      case Kind::vm: return object ? Kind::record : Kind::list;
      case Kind::list: return object && in_vm() ? Kind::record : Kind::value;
      case Kind::record: return object ? Kind::value : Kind::list;
      case Kind::value: return Kind::value;
    }
    return Kind::value;
  }
  bool in_vm() const { return open_.size() > 2 && open_[2].kind == Kind::vm; }

  bool open(bool object) {
    source_.progressed();
    if (open_.size() == deepest) throw_deep();
    Open next{.kind = kind_of(object), .key = key_};
    if (next.kind == Kind::value && open_.empty()) not_a_snapshot("");
    if (!open_.empty()) check_schema_first();
    if (next.kind == Kind::record) {
      if (open_.back().kind == Kind::list) next.key = open_.back().key;
      send_outer();
      if (records_ == fields_.size()) throw_deep();
      next.fields = records_++;
      fields_[next.fields].clear();
    }
    if (open_.size() == 2 && next.kind == Kind::vm) vm_ = key_;
    if (next.kind == Kind::list && open_.back().kind == Kind::record)
      fields_[open_.back().fields].add(key_);
    open_.push_back(std::move(next));
    return true;
  }

  // The record around a list of records comes before them.
  void send_outer() {
    for (Open& outer : open_)
      if (outer.kind == Kind::record) send(outer);
  }
  void send(Open& record) {
    if (!record.sent) visitor_.record(vm_, record.key, fields_[record.fields]);
    record.sent = true;
  }

  template <typename Set>
  bool take(Set&& set) {
    source_.progressed();
    if (open_.empty()) not_a_snapshot("");
    const Open& parent = open_.back();
    Scalar value;
    switch (parent.kind) {
      case Kind::record: set(fields_[parent.fields].add(key_)); break;
      case Kind::list: take_item(set); break;
      case Kind::document:
        set(value);
        check_schema(value);
        visitor_.member(key_, value);
        break;
      case Kind::group: set(value), visitor_.member(parent.key + '.' + key_, value); break;
      default: break;
    }
    return true;
  }

  // Of a list of texts: in a record, a VM or the document.
  template <typename Set>
  void take_item(Set&& set) {
    const Open& outer = open_[open_.size() - 2];
    if (outer.kind == Kind::record) {
      if (Scalar* last = fields_[outer.fields].last()) set(*last);
      return;
    }
    Scalar value;
    set(value);
    if (outer.kind == Kind::vm) {
      item_.clear();
      item_.add("name") = value;
      visitor_.record(vm_, open_.back().key, item_);
    } else {
      visitor_.member(open_.back().key, value);
    }
  }

  void check_schema(const Scalar& value) {
    if (has_schema_) return;
    if (key_ != "schema") not_a_snapshot("");
    if (value.text != schema) not_a_snapshot(value.text.empty() ? "?" : value.text);
    has_schema_ = true;
  }
  void check_schema_first() const {
    if (!has_schema_) not_a_snapshot("");
  }
  [[noreturn]] void throw_deep() const {
    throw_error(ErrorKind::unavailable, "{} is no snapshot: it is nested too deeply",
                source_.name());
  }

  Source& source_;
  const Visitor& visitor_;
  std::vector<Open> open_;
  std::string key_;
  std::string vm_;
  bool has_schema_ = false;
  std::array<Fields, 4> fields_;  // of the records that are open
  std::size_t records_ = 0;
  Fields item_;
};

}  // namespace

std::optional<std::uint64_t> Scalar::number() const {
  if (kind == Kind::number) return bits;
  if (kind != Kind::text || !text.starts_with("0x")) return std::nullopt;
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data() + 2, end, value, 16);
  if (result.ec != std::errc() || result.ptr != end) return std::nullopt;
  return value;
}

const Scalar& Fields::operator[](std::string_view name) const {
  static const Scalar nothing;
  for (std::size_t i = 0; i < used_; ++i)
    if (fields_[i].name == name) return fields_[i].value;
  return nothing;
}

Scalar& Fields::add(std::string_view name) {
  constexpr std::size_t most_fields = 256;
  if (used_ == most_fields)
    throw Error(ErrorKind::unavailable, "a record of a snapshot has too many fields");
  if (used_ == fields_.size()) fields_.emplace_back();
  Field& field = fields_[used_++];
  field.name = name;
  field.value.kind = Scalar::Kind::nothing;
  field.value.text.clear();
  return field.value;
}

void read_snapshot(Source& source, const Visitor& visitor) {
  Handler handler(source, visitor);
  Json::sax_parse(std::istreambuf_iterator<char>(&source), std::istreambuf_iterator<char>(),
                  &handler);
  if (!handler.has_schema()) handler.not_a_snapshot("");
}

}  // namespace kvmscope::snapshots
