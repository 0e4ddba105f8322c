#include "commands/guest_arguments.hpp"

namespace kvmscope {
namespace {

constexpr std::string_view gpa_mark = "gpa:";
constexpr std::string_view gfn_mark = "gfn:";

}  // namespace

Argument one_vm_argument() {
  return {"VM", ArgumentKind::vm,
          "an index (3), an id (95-4), pid:95 or the address of a struct kvm"};
}

GuestPhysAddr parse_gpa(std::string_view text) {
  if (text.starts_with(gfn_mark)) return to_gpa(parse_gfn(text));
  return {parse_number(text.starts_with(gpa_mark) ? text.substr(gpa_mark.size()) : text)};
}

Gfn parse_gfn(std::string_view text) {
  if (text.starts_with(gpa_mark)) return to_gfn(parse_gpa(text));
  return {parse_number(text.starts_with(gfn_mark) ? text.substr(gfn_mark.size()) : text)};
}

}  // namespace kvmscope
