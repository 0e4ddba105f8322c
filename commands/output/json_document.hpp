// One JSON document, written as it comes: objects and lists inside each other, records in them.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "commands/output/output.hpp"
#include "commands/output/record.hpp"

namespace kvmscope {

// Nothing is held but the path of what is open. What is open inside a member that ends is closed.
class JsonDocument {
 public:
  explicit JsonDocument(ByteWriter& out) : out_(out) {}
  JsonDocument(const JsonDocument&) = delete;
  JsonDocument& operator=(const JsonDocument&) = delete;

  // A member of the open object (an item of the open list without a key) that is open until end().
  void object(std::string_view key = {}) { begin(key, '{'); }
  void list(std::string_view key = {}) { begin(key, '['); }
  void end();
  std::size_t depth() const { return open_.size(); }
  // Ends what is open beyond `depth`.
  void end_to(std::size_t depth);

  void member(std::string_view key, const Value& value);
  void record(std::string_view key, const Record& record, std::span<const Column> columns);
  // The members of a record, in the open object.
  void members(const Record& record, std::span<const Column> columns);
  // Ends all that is open.
  void finish();

 private:
  struct Open {
    char closing;
    bool empty = true;
  };
  void begin(std::string_view key, char opening);
  void start(std::string& text, std::string_view key);

  ByteWriter& out_;
  std::vector<Open> open_;
};

}  // namespace kvmscope
