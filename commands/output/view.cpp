#include "commands/output/view.hpp"

namespace kvmscope {

TableColumn column(std::string_view header, std::string_view field, Align align) {
  return {header, align, [field](const RecordView& record) { return record.text(field); }};
}

}  // namespace kvmscope
