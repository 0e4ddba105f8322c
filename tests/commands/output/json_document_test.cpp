// One JSON document, written piece by piece, and compressed.

#include "commands/output/json_document.hpp"

#include <gtest/gtest.h>
#include <zstd.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "commands/output/zstd_writer.hpp"

namespace kvmscope {
namespace {

using nlohmann::json;

void write_something(ByteWriter& out) {
  const std::vector<Column> columns = {{"name", ColumnKind::text, ""}, {"at", ColumnKind::hex, ""}};
  JsonDocument document(out);
  document.object();
  document.member("text", std::string("\x1b[31m\"\n\xff"));
  document.object("empty");
  document.end();
  document.list("items");
  document.record({}, {{std::string("a"), Hex(0x1f)}}, columns);
  document.record({}, {{Lost{"it is not there"}, Value{}}, {"a note"}}, columns);
  document.object();
  document.members({{std::string("b"), Hex(1)}}, columns);
  document.list("inner");
  document.finish();
}

TEST(JsonDocument, IsClosedWhereverItEnds) {
  Output out;
  write_something(out);
  EXPECT_EQ(json::parse(out.text()), json::parse(R"({
      "text": "\u001b[31m\"\n\\xff", "empty": {},
      "items": [{"name": "a", "at": "0x1f"},
                {"name": {"lost": "it is not there"}, "at": null, "notes": ["a note"]},
                {"name": "b", "at": "0x1", "inner": []}]})"));
  EXPECT_EQ(out.text().back(), '\n');
  EXPECT_EQ(out.text().find('\x1b'), std::string::npos);
}

TEST(ZstdWriter, GivesTheSameBytesBack) {
  Output plain;
  Output packed;
  write_something(plain);
  {
    ZstdWriter compressed(packed);
    write_something(compressed);
    compressed.finish();
  }
  std::string text(plain.text().size() + 1, '\0');
  const std::size_t size =
      ZSTD_decompress(text.data(), text.size(), packed.text().data(), packed.text().size());
  ASSERT_EQ(ZSTD_isError(size), 0u);
  text.resize(size);
  EXPECT_EQ(text, plain.text());
}

}  // namespace
}  // namespace kvmscope
