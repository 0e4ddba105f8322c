#include "core/object/format.hpp"

#include <algorithm>

#include "core/base/error.hpp"
#include "core/base/interrupt.hpp"
#include "core/object/format_scalar.hpp"

namespace kvmscope {
namespace {

constexpr std::size_t max_text = 64 << 20;
constexpr std::uint64_t max_snapshot = 1 << 20;
constexpr std::size_t line_width = 80;
constexpr int max_nesting = 64;  // of anonymous members; more is a type that contains itself

// Runs `read`, which may fail on the target's memory: the reason then. The place that goes on
// after a fault inside one value, as the row sink does between records.
template <typename Read>
std::string reason_of(Read&& read) {
  try {
    read();
    return {};
  } catch (const Error& error) {
    if (!is_about_data(error.kind())) throw;
    return error.what();
  }
}

Formatted lost_text(const std::string& reason) {
  return {fmt::format("<cannot read: {}>", reason), 1, reason, true};
}

std::string indent(unsigned level) {
  return std::string(std::size_t{2} * level, ' ');
}

// The parts of a struct or an array, being put together.
class Parts {
 public:
  // `label` is ".name = " or "[5] = ".
  void add(std::string label, const Formatted& part, bool needs_label = true) {
    ++count_;
    if (part.all_lost) ++lost_parts_;
    lost_ += part.lost;
    if (reason_.empty()) reason_ = part.reason;
    lines_.push_back({std::move(label), part.text, needs_label});
  }
  // Says something about the parts, is none itself.
  void add_remark(std::string text) { lines_.push_back({"", std::move(text), false}); }

  // { one, two } or a line each; one reason alone when all parts are lost.
  Formatted join(unsigned level, bool try_one_line, bool force_one_line) const {
    if (count_ > 0 && lost_parts_ == count_) return lost_text(reason_);
    if (lines_.empty()) return {"{}", lost_, reason_};
    if (force_one_line) return {one_line(), lost_, reason_};
    if (try_one_line && lines_.size() <= line_width / 2) {
      const std::string text = one_line();
      if (text.size() <= line_width && text.find('\n') == std::string::npos)
        return {text, lost_, reason_};
    }
    std::string text = "{\n";
    for (const Line& line : lines_)
      text += fmt::format("{}{}{},\n", indent(level + 1), line.label, line.text);
    return {text + indent(level) + "}", lost_, reason_};
  }

 private:
  struct Line {
    std::string label;
    std::string text;
    bool needs_label;
  };

  std::string one_line() const {
    std::string text;
    for (const Line& line : lines_)
      text += fmt::format("{}{}{}", text.empty() ? "" : ", ", line.needs_label ? line.label : "",
                          line.text);
    return fmt::format("{{ {} }}", text);
  }

  std::vector<Line> lines_;
  std::uint64_t count_ = 0;
  std::uint64_t lost_parts_ = 0;
  std::uint64_t lost_ = 0;
  std::string reason_;
};

// Equal neighbours in an array.
struct Run {
  std::uint64_t first = 0;
  std::uint64_t last = 0;  // inclusive
  std::vector<std::byte> bytes;
  std::string lost;  // why the bytes could not be read; empty: they could
};

class Formatter {
 public:
  explicit Formatter(const FormatOptions& options) : options_(options) {}

  Formatted format(const Object& object, unsigned level, bool with_type) {
    Formatted result = value(object, level);
    if (with_type) result.text.insert(0, fmt::format("({})", type_name(object.type())));
    length_ += result.text.size();
    // Counts a part once per level around it, which bounds the work as well.
    if (length_ > max_text)
      throw_error(ErrorKind::usage, "the text of {} is too long: show less depth or a member",
                  type_name(object.type()));
    return result;
  }

 private:
  Formatted value(const Object& object, unsigned level) {
    const Type& type = object.complete_type();
    if (!type.is_complete) return {.text = "<only declared in the debug info>"};
    if (type.kind == TypeKind::array) return array(object, type, level);
    if (is_aggregate(type)) return aggregate(object, type, level);
    std::string text;
    const std::string lost = reason_of([&] { text = format_scalar(object, options_); });
    return lost.empty() ? Formatted{.text = text} : lost_text(lost);
  }

  Formatted aggregate(const Object& object, const Type& type, unsigned level) {
    check_interrupt();
    if (level >= options_.depth) return {.text = "{…}"};
    Parts parts;
    add_members(read_at_once(object), type, level, 0, parts);
    return parts.join(level, false, options_.one_line);
  }

  // Members of anonymous structs and unions are shown as if they were direct ones.
  void add_members(const Object& object, const Type& type, unsigned level, int nesting,
                   Parts& parts) {
    if (nesting > max_nesting)
      throw_error(ErrorKind::corrupt, "{} contains itself", type_name(type));
    for (const Member& member : type.members) {
      const Object part = object.part(member.type.get(), member.bit_offset, member.bit_size);
      if (!member.name.empty()) {
        const Formatted text = format(part, level + 1, !options_.one_line);
        parts.add(fmt::format(".{} = ", member.name), text);
      } else if (member.bit_size == 0 && is_aggregate(part.type())) {
        add_members(part, part.complete_type(), level, nesting + 1, parts);
      }
    }
  }

  Formatted array(const Object& given, const Type& type, unsigned level) {
    check_interrupt();
    if (level >= options_.depth) return {.text = "{…}"};
    const Type& element = target_of(type);
    if (!type.count) return {.text = "{} /* flexible: ask for its elements */"};
    const Object object = read_at_once(given);
    if (options_.interpret && is_character(element)) {
      std::string text;
      const std::string lost = reason_of([&] { text = format_char_array(object); });
      return lost.empty() ? Formatted{.text = text} : lost_text(lost);
    }
    const bool nested = is_aggregate(element) || strip(element).kind == TypeKind::array;
    Parts parts;
    std::uint64_t next = 0;
    for (std::uint64_t shown = 0; next < *type.count && shown < options_.elements; ++shown) {
      const Run run = run_at(object, next, *type.count, nested);
      add_run(object, run, level, nested, parts);
      next = run.last + 1;
    }
    if (next < *type.count) parts.add_remark(fmt::format("/* … {} more */", *type.count - next));
    return parts.join(level, !nested, options_.one_line);
  }

  // The element at `first` and those behind it that hold the same. Numbers that cannot be read
  // are a run too; structs are not, as each may be lost only in part.
  static Run run_at(const Object& array, std::uint64_t first, std::uint64_t count, bool nested) {
    const std::uint64_t size = size_of(array.types(), target_of(array.type()));
    Run run{.first = first, .last = first, .bytes = std::vector<std::byte>(size), .lost = {}};
    run.lost = reason_of([&] { array.read(first * size, run.bytes); });
    if (nested && !run.lost.empty()) return run;
    std::vector<std::byte> bytes(size);
    while (run.last + 1 < count && run.last - first < max_snapshot) {
      const std::uint64_t offset = (run.last + 1) * size;
      const bool lost = !reason_of([&] { array.read(offset, bytes); }).empty();
      if (lost != !run.lost.empty() || (!lost && bytes != run.bytes)) break;
      ++run.last;
    }
    return run;
  }

  void add_run(const Object& array, const Run& run, unsigned level, bool nested, Parts& parts) {
    const auto element = [&](std::uint64_t i) {
      return format(array.index(static_cast<std::int64_t>(i)), level + 1, false);
    };
    const bool fold = run.last - run.first >= (nested || !run.lost.empty() ? 1u : 2u);
    if (fold) {
      const Formatted text = run.lost.empty() ? element(run.first) : lost_text(run.lost);
      parts.add(fmt::format("[{} ... {}] = ", run.first, run.last), text);
      return;
    }
    for (std::uint64_t i = run.first; i <= run.last; ++i) {
      const Formatted text = element(i);
      parts.add(fmt::format("[{}] = ", i), text, nested);
    }
  }

  // With all its memory read, if that is there.
  static Object read_at_once(const Object& object) {
    Object result = object;
    if (!object.is_snapshot() && object.is_reference() &&
        size_of(object.types(), object.type()) <= max_snapshot)
      reason_of([&] { result = object.snapshot(); });
    return result;
  }

  const FormatOptions& options_;
  std::size_t length_ = 0;
};

}  // namespace

Formatted format(const Object& object, const FormatOptions& options) {
  return Formatter(options).format(object, 0, options.type);
}

}  // namespace kvmscope
