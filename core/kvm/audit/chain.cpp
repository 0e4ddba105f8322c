#include "core/kvm/audit/chain.hpp"

#include <algorithm>
#include <unordered_set>

#include "core/base/interrupt.hpp"
#include "core/kernel/fields.hpp"

namespace kvmscope::kvm::audit {
namespace {

constexpr std::uint64_t rmap_many = 1;
constexpr std::uint64_t rmap_tags = 3;
constexpr std::uint64_t most_descriptors = 1'000'000;

class ChainWalk {
 public:
  ChainWalk(const ObjectMemory& memory, const PteListFields& fields,
            const std::function<void(VirtAddr)>& visit,
            const std::function<void(std::string)>& fault)
      : memory_(memory), fields_(fields), visit_(visit), fault_(fault) {}

  void run(VirtAddr at) {
    for (; at.value != 0; at = step(at)) {
      check_interrupt();
      if (!is_aligned(at.value, 8) || !memory_.holds(at)) {
        fault_(fmt::format("{:#x} is no pte_list_desc", at.value));
        break;
      }
      if (!met_.insert(at.value).second || met_.size() > most_descriptors) {
        fault_(fmt::format("its chain comes back to pte_list_desc {:#x}", at.value));
        break;
      }
    }
    check_tails();
    check_twice();
  }

 private:
  struct Chunk {
    VirtAddr at;
    std::uint64_t entries = 0;
    std::optional<std::uint64_t> tail;
  };

  VirtAddr step(VirtAddr at) {
    const StructCopy copy(fields_, memory_, at);
    const std::uint64_t room = fields_.sptes.count();
    std::uint64_t used = copy.find(fields_.spte_count).value_or(room);
    if (used == 0 || used > room) {
      fault_(fmt::format("pte_list_desc {:#x} claims {} entries of {}", at.value, used, room));
      used = std::min(used, room);
    }
    for (std::uint64_t i = 0; i < used; ++i) {
      const std::uint64_t spte = copy.get(fields_.sptes, i);
      // Before spte_count the first NULL ends a chunk.
      if (spte == 0 && !fields_.spte_count.present()) {
        used = i;
        break;
      }
      if (spte == 0)
        fault_(fmt::format("entry {} of pte_list_desc {:#x} is NULL", i, at.value));
      else
        add({spte});
    }
    chunks_.push_back({at, used, copy.find(fields_.tail_count)});
    return copy.pointer(fields_.more);
  }

  void add(VirtAddr spte) {
    sptes_.push_back(spte);
    visit_(spte);
  }

  // Since v6.4 new chunks come in front, and those behind are full.
  void check_tails() {
    if (!fields_.tail_count.present()) return;
    std::uint64_t behind = 0;
    for (std::size_t i = chunks_.size(); i-- > 0;) {
      const Chunk& chunk = chunks_[i];
      if (chunk.tail != behind)
        fault_(fmt::format("pte_list_desc {:#x} has tail_count {}, but {} entries follow",
                           chunk.at.value, *chunk.tail, behind));
      if (i > 0 && chunk.entries != fields_.sptes.count())
        fault_(fmt::format("pte_list_desc {:#x}, which is not the first, has only {} entries",
                           chunk.at.value, chunk.entries));
      behind += chunk.entries;
    }
  }

  void check_twice() {
    std::ranges::sort(sptes_);
    const auto twice = std::ranges::adjacent_find(sptes_);
    if (twice != sptes_.end()) fault_(fmt::format("SPTE {:#x} is listed twice", twice->value));
  }

  const ObjectMemory& memory_;
  const PteListFields& fields_;
  const std::function<void(VirtAddr)>& visit_;
  const std::function<void(std::string)>& fault_;
  std::unordered_set<std::uint64_t> met_;
  std::vector<Chunk> chunks_;
  std::vector<VirtAddr> sptes_;
};

}  // namespace

void walk_chain(const ObjectMemory& memory, const PteListFields& fields, std::uint64_t head,
                const std::function<void(VirtAddr spte)>& visit,
                const std::function<void(std::string text)>& fault) {
  const VirtAddr at{head & ~rmap_tags};
  if (at.value == 0) return;
  if ((head & rmap_many) == 0) return visit(at);
  ChainWalk(memory, fields, visit, fault).run(at);
}

}  // namespace kvmscope::kvm::audit
