// list: the structs on a linked list of the kernel.

#include <fmt/ranges.h>

#include "commands/catalogue.hpp"
#include "commands/expressions.hpp"
#include "commands/steady.hpp"
#include "core/expression/lexer.hpp"
#include "core/kernel/kernel.hpp"
#include "core/object/containers.hpp"
#include "core/object/member_path.hpp"

namespace kvmscope {
namespace {

// What the three arguments mean. TYPE may have two words: "struct kvm".
struct Request {
  std::string type;
  std::string member;
  std::string head;
  std::size_t head_start = 0;  // in the text of the argument HEAD
};

Request request_of(const Arguments& args) {
  Request request{.type = args.text("TYPE").value(),
                  .member = args.text("MEMBER").value(),
                  .head = args.text("HEAD").value()};
  if (request.type != "struct" && request.type != "union") return request;
  const std::size_t blank = request.head.find(' ');
  const std::size_t start =
      std::min(request.head.find_first_not_of(' ', blank), request.head.size());
  if (start == request.head.size()) throw_at(start, "the HEAD of the list is missing");
  request.type += ' ' + request.member;
  request.member = request.head.substr(0, blank);
  request.head_start = start;
  request.head = request.head.substr(start);
  return request;
}

std::vector<std::string> split_names(std::string_view text) {
  std::vector<std::string> names;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    names.emplace_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return names;
}

Record member_record(const Object& element, const std::string& name, const FormatOptions& options,
                     std::vector<std::string>& notes) {
  const Object member = element.at_path(name);
  return {{name, type_name(member.type()), formatted_value(format(member, options), notes)}};
}

using Walk = std::function<void(const NodeVisitor& visit)>;

// In a dump each element is shown when the walk has come to it. A list that may change meanwhile is
// walked first.
void show_nodes(const Kernel& kernel, const Walk& walk,
                const std::function<void(std::uint64_t index, VirtAddr node)>& show,
                RowSink& rows) {
  std::uint64_t index = 0;
  if (kernel.steady() == nullptr) {
    rows.attempt([&] { return fmt::format("after {} elements", index); },
                 [&] { walk([&](VirtAddr node) { show(index++, node); }); });
    return;
  }
  std::vector<VirtAddr> nodes;
  settle_or_note(kernel, rows, "elements may be missing", [&] {
    nodes.clear();
    walk([&](VirtAddr node) { nodes.push_back(node); });
  });
  for (const VirtAddr node : nodes) {
    steadily(kernel, rows,
             {.make = [&](std::size_t) { show(index, node); },
              .what = [&](std::size_t) { return fmt::format("element {}", index); }});
    ++index;
  }
}

void list_elements(Session& session, const Arguments& args, RowSink& rows) {
  const Request request = request_of(args);
  const Types& types = session.types();
  // Its columns would point into HEAD.
  const Type& type =
      without_column([&]() -> const Type& { return named_type(types, request.type); });
  const FoundMember link = need_member_path(types, type, request.member);
  if (link.bit_size != 0)
    throw_error(ErrorKind::usage, "'{}' is a bit field, no list node", request.member);
  const std::vector<std::string> members = split_names(args.option("--members").value_or(""));
  for (const std::string& name : members) need_member_path(types, type, name);

  const VirtReader& memory = session.kernel().memory();
  FormatOptions options = format_options(session, args);
  options.one_line = true;
  const auto show = [&](std::uint64_t index, VirtAddr node) {
    const VirtAddr at = node - link.bit_offset / 8;
    const Object element = Object::reference(types, memory, type, at);
    Record record;
    Records values;
    for (const std::string& name : members)
      values.push_back(member_record(element, name, options, record.notes));
    record.values = {index, Hex(at), std::move(values), type_name(type)};
    rows.add(std::move(record));
  };
  const VirtAddr head{
      columns_from(request.head_start, [&] { return evaluate_address(session, request.head); })};
  const auto walk = [&](const NodeVisitor& visit) {
    args.has("--hlist") ? walk_hlist(memory, head, visit) : walk_list(memory, head, visit);
  };
  show_nodes(session.kernel(), walk, show, rows);
}

// "mm = 0xffff…, users_count = 1"
std::string values_text(const RecordView& record) {
  std::vector<std::string> texts;
  for (const Record& value : record.records("members"))
    texts.push_back(
        fmt::format("{} = {}", value_text(value.values[0]), value_text(value.values[2])));
  return fmt::format("{}", fmt::join(texts, ", "));
}

}  // namespace

Command list() {
  using K = ColumnKind;
  std::vector<Option> options = format_options();
  options.insert(options.begin(),
                 {{"--members", "A,B", ArgumentKind::text, "members to show of each element"},
                  {"--hlist", "", ArgumentKind::text, "HEAD is a struct hlist_head"}});
  return {
      .names = {"list"},
      .summary = "walk a linked list of the kernel",
      .details =
          "Every link is checked: a list that has a loop or links that do not fit is\n"
          "reported as corrupt after the elements that could be reached.",
      .arguments = {{"TYPE", ArgumentKind::text, "of the elements: kvm, or struct kvm"},
                    {"MEMBER", ArgumentKind::member, "the list_head or hlist_node inside them"},
                    {"HEAD", ArgumentKind::expression, "the list's head, or its address"}},
      .options = std::move(options),
      .columns = {{"index", K::count, "from 0"},
                  {"address", K::hex, "of the element"},
                  {"members",
                   K::records,
                   "those that --members asks for",
                   {{"name", K::text, "of the member"},
                    {"type", K::text, "its C type"},
                    {"value", K::text, "its value as a C initialiser"}}},
                  {"object_type", K::text, "what lies at the address", {}, true}},
      .view = {.table = {number_column("INDEX", "index"),
                         column("ADDRESS", "address"),
                         {"MEMBERS", Align::left, values_text}}},
      .examples = {"list kvm vm_list vm_list --members users_count,arch.n_used_mmu_pages",
                   "list struct kvm_mmu_page link &((struct kvm *)ffff8b1e04a10000)->"
                   "arch.active_mmu_pages"},
      .run = list_elements,
  };
}

}  // namespace kvmscope
