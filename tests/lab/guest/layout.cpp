// A VM whose memslots are laid out otherwise: with gaps and neighbours, numbered and placed in the
// owner in other orders than in the guest; two show the same memory, one is moved while the guest
// has it mapped, one is deleted and made again smaller, one is only deleted.
#include "tests/lab/guest/scenario.hpp"
#include "tests/lab/guest/task.hpp"
#include "tests/lab/guest/truth.hpp"

namespace lab {
namespace {

constexpr uint64_t kKiB = 1024;
constexpr uint64_t kBeforeMove = 0x10000000;

struct Part {
  unsigned slot;
  uint64_t start;
  uint64_t bytes;
  uint32_t flags;
};
// In the order of the guest's addresses. The host gives each memory a place below the last one's.
constexpr Part kLow{4, 0, 4 * kMiB, 0};
constexpr Part kReadOnly{9, 0x20000000, 512 * kKiB, KVM_MEM_READONLY};
constexpr Part kNeighbour{1, 0x20080000, 256 * kKiB, 0};
constexpr Part kMoved{7, 0x28013000, kMiB, 0};
constexpr Part kDeleted{3, 0x2c000000, kMiB, 0};
constexpr Part kOnePage{12, 0x2ffff000, kPageSize, 0};
constexpr Part kOnceLarger{2, 0x30000000, kMiB, 0};
constexpr Part kAlias{5, 0x38000000, 256 * kKiB, 0};  // of kNeighbour

struct Slot {
  explicit Slot(const Part& slot)
      : part(slot), memory(slot.start, slot.bytes, Backing::small_pages) {
    if (part.start != 0) fill(memory, part.start, part.bytes);
  }
  void add_to(Vm& vm) { vm.add_slot(part.slot, memory, part.flags); }

  Part part;
  Memory memory;
};

// Its first and its last page, in a guest whose addresses are those of its memory.
void touch(Program& program, const Part& part) {
  program.read(part.start);
  program.read(part.start + part.bytes - kPageSize);
}

void say_slot(Truth& truth, const Part& part) {
  truth.say_translation(part.start);
  truth.say_translation(part.start + part.bytes - kPageSize / 2);
}

class LayoutVm {
 public:
  LayoutVm() {
    for (Slot* slot : {&one_page_, &low_, &deleted_, &neighbour_, &once_larger_, &read_only_})
      slot->add_to(vm_);
    vm_.add_region(kMoved.slot, kBeforeMove, kMoved.bytes, moved_.memory.host_address(), 0);
    vm_.add_region(kAlias.slot, kAlias.start, kAlias.bytes, neighbour_.memory.host_address(), 0);
  }

  void change() {
    vm_.add_slot(kMoved.slot, moved_.memory);
    vm_.delete_slot(kDeleted.slot);
    vm_.delete_slot(kOnceLarger.slot);
    smaller_.add_to(vm_);
  }

  void run(unsigned vcpu, std::initializer_list<Part> parts) {
    Program program = program_of_vcpu(low_.memory, vcpu);
    for (const Part& part : parts) touch(program, part);
    program.halt();
    vm_.run_vcpu(vcpu, kLongMode, root_, program.start());
  }

  void say(unsigned vcpu) {
    Truth truth(vm_, vcpu,
                {&read_only_.memory, &neighbour_.memory, &moved_.memory, &one_page_.memory,
                 &smaller_.memory});
    truth.add({0, 0, kMapped});
    for (const Part& part : {kReadOnly, kNeighbour, kMoved, kOnePage, smaller_.part})
      say_slot(truth, part);
  }

 private:
  static constexpr uint64_t kMapped = 1024 * kMiB;

  Vm vm_{"layout"};
  Slot low_{kLow}, read_only_{kReadOnly}, neighbour_{kNeighbour}, moved_{kMoved},
      deleted_{kDeleted}, one_page_{kOnePage}, once_larger_{kOnceLarger},
      smaller_{{kOnceLarger.slot, kOnceLarger.start, kOnceLarger.bytes / 4, 0}};
  uint64_t root_ = identity_tables(low_.memory, kMapped).root();
};

}  // namespace

void build_layout_process() {
  static LayoutVm layout;
  Part before_move = kMoved;
  before_move.start = kBeforeMove;
  layout.run(0, {kReadOnly, kNeighbour, kAlias, before_move, kDeleted, kOnePage, kOnceLarger});
  layout.change();
  layout.run(1, {kReadOnly, kNeighbour, kAlias, kMoved, kOnePage});
  layout.say(1);
  park();
}

}  // namespace lab
