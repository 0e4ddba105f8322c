#include "commands/trace/event_view.hpp"

#include "commands/trace/vcpu_names.hpp"

namespace kvmscope::tracing {

std::string owner_text(const RecordView& record) {
  VcpuName name;
  if (!record.is_null("vm")) name.vm = record.number("vm");
  if (!record.is_null("vcpu")) name.vcpu = record.number("vcpu");
  return name_text(name);
}

std::string time_text(const RecordView& record, std::size_t length) {
  constexpr std::size_t behind_the_date = 11;
  return record.text("time").substr(behind_the_date, length);
}

}  // namespace kvmscope::tracing
