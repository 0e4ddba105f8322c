// -f tree and -f dot: records that are nested.

#include <gtest/gtest.h>

#include "tests/commands/output/rendering.hpp"

namespace kvmscope {
namespace {

const View tree_view = {
    .tree = {{"ENTRY", Align::left,
              [](const RecordView& record) { return "L" + record.text("level"); }},
             column("SP", "sp"),
             column("COMM", "comm")},
    .dot = {.label = [](const RecordView& record) {
      return "L" + record.text("level") + "\n" + record.text("comm");
    }}};

RenderSetup setup(std::string format) {
  return {.options = {.format = std::move(format)}, .view = tree_view};
}

// 4 ─ 3 ─ (2, 2 ─ 1), 3; and 4 alone.
void add_tree(RowSink& rows, bool hints) {
  const auto add = [&](std::uint64_t sp, std::uint64_t level, bool last) {
    rows.add(page(sp, level), hints ? std::optional(last) : std::nullopt);
  };
  add(0x1000, 4, false);
  rows.enter();
  add(0x2000, 3, false);
  rows.enter();
  add(0x30, 2, false);
  add(0x31, 2, true);
  rows.enter();
  add(0x4, 1, true);
  rows.leave();
  rows.leave();
  add(0x2001, 3, true);
  rows.leave();
  add(0x1001, 4, true);
}

TEST(Tree, DrawsBranchesAndKeepsTheOtherColumnsAligned) {
  const Rendered got = render(setup("tree"), [](RowSink& rows) { add_tree(rows, true); });
  EXPECT_EQ(got.out,
            "L4           0x1000  qemu\n"
            "├─ L3        0x2000  qemu\n"
            "│  ├─ L2     0x30    qemu\n"
            "│  └─ L2     0x31    qemu\n"
            "│     └─ L1  0x4     qemu\n"
            "└─ L3        0x2001  qemu\n"
            "L4           0x1001  qemu\n");
}

TEST(Tree, WithoutHintsDrawsOnlyParentsAsIfSiblingsFollowed) {
  const Rendered got = render(setup("tree"), [](RowSink& rows) { add_tree(rows, false); });
  EXPECT_EQ(got.out,
            "L4           0x1000  qemu\n"
            "├─ L3        0x2000  qemu\n"
            "│  ├─ L2     0x30    qemu\n"
            "│  ├─ L2     0x31    qemu\n"
            "│  │  └─ L1  0x4     qemu\n"
            "└─ L3        0x2001  qemu\n"
            "L4           0x1001  qemu\n");
}

TEST(Tree, ReturnsToTheDepthOfAnAttemptThatFailed) {
  const Rendered got = render(setup("tree"), [](RowSink& rows) {
    rows.add(page(0x1, 4), true);
    rows.attempt([] { return std::string("below"); },
                 [&] {
                   rows.enter();
                   rows.add(page(0x2, 3), false);
                   rows.enter();
                   throw Error(ErrorKind::corrupt, "a loop");
                 });
    rows.add(page(0x3, 4), true);
  });
  EXPECT_EQ(got.out, "L4     0x1  qemu\n├─ L3  0x2  qemu\nL4     0x3  qemu\n");
  EXPECT_EQ(got.errors, "kvmscope: note: below: a loop\n");
  EXPECT_EQ(got.status, 5);
}

TEST(Tree, ColumnsOfTheUserStandRightOfTheBranch) {
  RenderSetup chosen = setup("tree");
  chosen.options.columns = "level,comm";
  const Rendered got = render(chosen, [](RowSink& rows) {
    rows.add(page(0x1, 4), true);
    rows.enter();
    rows.add(page(0x2, 3), true);
    rows.leave();
  });
  EXPECT_EQ(got.out, "L4     4  qemu\n└─ L3  3  qemu\n");
}

TEST(Tree, OfACommandWithoutChildrenIsItsTable) {
  const Rendered got = render_as("tree", [](RowSink& rows) { rows.add(page(0x1000, 4)); });
  EXPECT_EQ(got.out, "0x1000  4  qemu  no  -  []\n");
}

TEST(Tree, LetsNoControlCharactersOut) {
  const Rendered got =
      render(setup("tree"), [](RowSink& rows) { rows.add(page(0x1, 4, "\x1b]0;x\a"), true); });
  EXPECT_EQ(got.out, "L4  0x1  \\e]0;x\\x07\n");
}

TEST(Dot, DrawsEdgesFromParentsToChildren) {
  const Rendered got = render(setup("dot"), [](RowSink& rows) { add_tree(rows, true); });
  EXPECT_EQ(got.out, R"(digraph kvmscope {
  node [shape=box, fontname="monospace"];
  n0 [label="L4\lqemu\l"];
  n1 [label="L3\lqemu\l"];
  n0 -> n1;
  n2 [label="L2\lqemu\l"];
  n1 -> n2;
  n3 [label="L2\lqemu\l"];
  n1 -> n3;
  n4 [label="L1\lqemu\l"];
  n3 -> n4;
  n5 [label="L3\lqemu\l"];
  n0 -> n5;
  n6 [label="L4\lqemu\l"];
}
)");
}

TEST(Dot, DrawsOneNodeForWhatIsOneAndEdgesUpwards) {
  RenderSetup with_nodes = setup("dot");
  with_nodes.view.dot.node = [](const RecordView& record) {
    return record.text("level") == "3" ? "" : record.text("sp");
  };
  with_nodes.view.dot.edge = [](const RecordView& record) { return "\"" + record.text("sp"); };
  with_nodes.view.dot.upwards = true;
  const Rendered got = render(with_nodes, [](RowSink& rows) {
    rows.add(page(0x1, 1));
    rows.enter();
    for (int i = 0; i < 2; ++i) {
      rows.add(page(0x3, 3));
      rows.enter();
      rows.add(page(0x4, 4));
      rows.leave();
    }
    rows.leave();
  });
  EXPECT_EQ(got.out, R"(digraph kvmscope {
  node [shape=box, fontname="monospace"];
  n0 [label="L1\lqemu\l"];
  n1 [label="L3\lqemu\l"];
  n1 -> n0 [label="\"0x3"];
  n2 [label="L4\lqemu\l"];
  n2 -> n1 [label="\"0x4"];
  n3 [label="L3\lqemu\l"];
  n3 -> n0 [label="\"0x3"];
  n2 -> n3 [label="\"0x4"];
}
)");
}

TEST(Dot, EscapesLabels) {
  const Rendered got = render(
      setup("dot"), [](RowSink& rows) { rows.add(page(0x1, 4, "a\"]; b\\ \x1b[1m\xc3"), true); });
  EXPECT_NE(got.out.find(R"([label="L4\la\"]; b\\ \\e[1m\\xc3\l"];)"), std::string::npos)
      << got.out;
}

TEST(Dot, WithoutALabelShowsTheFields) {
  const Rendered got = render({.options = {.format = "dot", .columns = "sp,level"}},
                              [](RowSink& rows) { rows.add(page(0x1, 4)); });
  EXPECT_NE(got.out.find(R"(n0 [label="sp: 0x1\llevel: 4\l"];)"), std::string::npos) << got.out;
}

TEST(Dot, IsAGraphEvenWithoutRecords) {
  EXPECT_EQ(render_as("dot", [](RowSink&) {}).out,
            "digraph kvmscope {\n  node [shape=box, fontname=\"monospace\"];\n}\n");
}

}  // namespace
}  // namespace kvmscope
