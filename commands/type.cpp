// type: what a C type of the kernel consists of.

#include <utility>

#include "commands/catalogue.hpp"
#include "commands/expressions.hpp"
#include "core/expression/lexer.hpp"
#include "core/object/member_path.hpp"

namespace kvmscope {
namespace {

constexpr std::size_t comment_column = 56;
constexpr int max_nesting = 64;  // of anonymous members; more is a type that contains itself

// Where a member lies, as a comment: bytes, and bits for a bit field.
std::string comment(std::uint64_t bit_offset, std::uint64_t bit_size, std::uint64_t size) {
  if (bit_size != 0)
    return fmt::format("/* {:5}:{} {:2} bit{} */", bit_offset / 8, bit_offset % 8, bit_size,
                       bit_size == 1 ? "" : "s");
  return fmt::format("/* {:5} {:5} */", bit_offset / 8, size);
}

std::string padded(std::string text) {
  if (text.size() < comment_column) text.resize(comment_column, ' ');
  return text + ' ';
}

// The members of one type as records, with the lines that declare them.
class Members {
 public:
  Members(const Types& types, const Type& asked, std::uint64_t size)
      : types_(types), asked_(type_name(asked)), size_(size) {}

  void open(std::string_view line) {
    before_ += fmt::format("{}{}\n", indent(), line);
    ++depth_;
  }
  void close(std::string_view line, std::string_view comment = {}) {
    --depth_;
    std::string text = indent() + std::string(line);
    if (!comment.empty()) text = padded(std::move(text)) + std::string(comment);
    if (before_.empty())
      line_of(records_.back()) += '\n' + text;
    else
      before_ += text + '\n';
  }

  void add_all(const Type& aggregate, std::uint64_t bit_offset, int nesting = 0) {
    if (nesting > max_nesting) throw_error(ErrorKind::corrupt, "{} contains itself", asked_);
    for (const Member& member : aggregate.members) {
      const Type& type = member.type.get();
      const std::uint64_t at = bit_offset + member.bit_offset;
      if (!member.name.empty()) {
        add(member.name, type, at, member.bit_size);
        continue;
      }
      if (member.bit_size != 0 || !is_aggregate(type)) continue;  // padding
      open(fmt::format("{} {{", strip(type).kind == TypeKind::union_type ? "union" : "struct"));
      add_all(types_.complete(strip(type)), at, nesting + 1);
      close("};", comment(at, 0, type.size));
    }
  }

  void add(std::string_view name, const Type& type, std::uint64_t bit_offset,
           std::uint64_t bit_size) {
    const std::uint64_t size = types_.complete(strip(type)).size;
    std::string line = indent() + declaration(type, name);
    if (bit_size != 0) line += fmt::format(":{}", bit_size);
    const bool bits = bit_size != 0;
    push(std::string(name), type_name(type), bit_offset / 8, size,
         bits ? Value{bit_offset % 8} : Value{}, bits ? Value{bit_size} : Value{}, {},
         padded(line + ";") + comment(bit_offset, bit_size, size));
  }

  void add_enumerator(const Enumerator& enumerator) {
    push(enumerator.name, asked_, {}, {}, {}, {}, enumerator.value,
         fmt::format("{}{} = {},", indent(), enumerator.name, enumerator.value));
  }

  // A type without members.
  void add_whole(const Type& meant, const std::string& line) {
    push({}, type_name(meant), {}, size_, {}, {}, {}, line);
  }

  // Everything; lines that no member took go with a record of the type itself.
  Records take(const Type& type) {
    while (before_.ends_with('\n')) before_.pop_back();
    if (records_.empty())
      push({}, type_name(type), {}, size_, {}, {}, {}, "");
    else if (!before_.empty())
      line_of(records_.back()) += '\n' + before_;
    return std::move(records_);
  }

 private:
  static constexpr std::size_t line_index = 9;

  static std::string& line_of(Record& record) {
    return std::get<std::string>(record.values[line_index]);
  }
  std::string indent() const { return std::string(2 * depth_, ' '); }

  void push(Value name, std::string type, Value offset, Value size, Value bit_offset,
            Value bit_size, Value value, const std::string& line) {
    records_.push_back({{std::move(name), std::move(type), std::move(offset), std::move(size),
                         std::move(bit_offset), std::move(bit_size), std::move(value), asked_,
                         size_, std::exchange(before_, "") + line}});
  }

  const Types& types_;
  std::string asked_;
  std::uint64_t size_;
  std::size_t depth_ = 0;
  std::string before_;  // lines in front of the next record's
  Records records_;
};

// "struct kvm.arch.mmu" is the type "struct kvm" and the path "arch.mmu".
struct Request {
  std::string_view type;
  std::string_view path;
};

Request split_request(std::string_view text) {
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos) return {text, {}};
  return {text.substr(0, dot), text.substr(dot + 1)};
}

void add_aggregate(Members& members, const Type& asked, const Type& type) {
  const bool is_typedef = asked.kind == TypeKind::typedef_type;
  std::string head = type_name(type);
  if (type.name.empty()) head = type.kind == TypeKind::union_type ? "union" : "struct";
  members.open(fmt::format("{}{} {{", is_typedef ? "typedef " : "", head));
  members.add_all(type, 0);
  members.close(fmt::format("}}{}; /* size: {} */",
                            is_typedef ? fmt::format(" {}", asked.name) : "", type.size));
}

void add_enum(Members& members, const Type& asked, const Type& type) {
  const bool is_typedef = asked.kind == TypeKind::typedef_type;
  members.open(fmt::format("{}{} {{", is_typedef ? "typedef " : "",
                           type.name.empty() ? "enum" : type_name(type)));
  for (const Enumerator& enumerator : type.enumerators) members.add_enumerator(enumerator);
  members.close(fmt::format("}}{}; /* size: {} */",
                            is_typedef ? fmt::format(" {}", asked.name) : "", type.size));
}

Records records_of(const Types& types, const Type& asked) {
  const Type& type = types.complete(strip(asked));
  Members members(types, asked, type.size);
  if (!type.is_complete)
    throw_error(ErrorKind::usage, "{} is only declared in the debug info", type_name(asked));
  if (is_aggregate(type)) {
    add_aggregate(members, asked, type);
  } else if (type.kind == TypeKind::enumeration) {
    add_enum(members, asked, type);
  } else if (asked.kind == TypeKind::typedef_type) {
    const Type& meant = asked.target ? asked.target.get() : void_type();
    members.add_whole(meant, fmt::format("typedef {}; /* size: {} */",
                                         declaration(meant, asked.name), type.size));
  } else {
    members.add_whole(asked, fmt::format("{}; /* size: {} */", type_name(asked), type.size));
  }
  return members.take(asked);
}

void show_type(Session& session, const Arguments& args, RowSink& rows) {
  const std::string text = args.text("TYPE").value();
  const Types& types = session.types();
  const Request request = split_request(text);
  const Type& type = named_type(types, request.type);
  Records records;
  if (request.path.empty()) {
    records = records_of(types, type);
  } else {
    const FoundMember found = at_column(
        request.type.size() + 1, [&] { return need_member_path(types, type, request.path); });
    Members members(types, type, size_of(types, type));
    members.add(request.path, *found.type, found.bit_offset, found.bit_size);
    records = members.take(type);
  }
  for (Record& record : records) rows.add(std::move(record));
}

}  // namespace

Command type() {
  using K = ColumnKind;
  return {
      .names = {"type", "whatis", "struct"},
      .summary = "show what a C type consists of, with offsets and sizes",
      .details =
          "Comments give offset and size in bytes; of a bit field its first byte, its\n"
          "first bit in it, and its bits. Members of anonymous structs and unions have\n"
          "the offset from the start of the whole type.",
      .needs = Needs::debug_info,
      .arguments = {{"TYPE", ArgumentKind::type,
                     "struct kvm_vcpu, kvm_vcpu, gfn_t, or one member: struct kvm.arch.mmu"}},
      .columns = {{"name", K::text, "of the member or enumerator; null: the type has none"},
                  {"type", K::text, "its C type"},
                  {"offset", K::count, "bytes from the start of the whole type"},
                  {"size", K::count, "bytes"},
                  {"bit_offset", K::count, "of a bit field: its first bit in the byte at offset"},
                  {"bit_size", K::count, "of a bit field: its bits"},
                  {"value", K::number, "of an enumerator"},
                  {"of", K::text, "the type that was asked for"},
                  {"of_size", K::count, "its size in bytes"},
                  {"text", K::text, "the lines of the declaration"}},
      .view = {.block = [](const RecordView& record) { return record.text("text"); }},
      .examples = {"type struct kvm_mmu", "whatis kvm_vcpu_arch -o name,offset",
                   "type struct kvm.arch.n_used_mmu_pages", "type u64"},
      .run = show_type,
  };
}

}  // namespace kvmscope
