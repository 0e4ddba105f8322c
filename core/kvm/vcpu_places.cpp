#include "core/kvm/vcpu_places.hpp"

#include <algorithm>

#include "core/base/error.hpp"
#include "core/base/interrupt.hpp"
#include "core/object/links.hpp"

namespace kvmscope::kvm {
namespace {

constexpr std::size_t most_vms = 100'000;
constexpr std::uint64_t largest_span = 1 << 16;
constexpr std::uint64_t pointer_size = 8;
// Entries of an xarray, include/linux/xarray.h: a node is marked by 2 in the lowest bits.
constexpr std::uint64_t xa_mark_bits = 3;
constexpr std::uint64_t xa_node_mark = 2;

// Some bytes of one struct, with the offsets that they have in it.
class Piece {
 public:
  Piece(const VirtReader& memory, VirtAddr at, std::uint64_t start, std::uint64_t end)
      : start_(start), bytes_(end - start) {
    memory.read(at + start, bytes_);
  }
  std::uint64_t number(std::uint64_t offset, std::uint64_t size = pointer_size) const {
    return load_unsigned(Bytes(bytes_).subspan(offset - start_, size));
  }

 private:
  std::uint64_t start_;
  std::vector<std::byte> bytes_;
};

class Finder {
 public:
  explicit Finder(const Kvm& kvm) : kvm_(kvm), fields_(kvm.layout().vm()) {
    for (const Field* field : {&fields_.vm_list, &fields_.online_vcpus, &fields_.vcpus})
      require(*field);
    is_xarray_ = is_aggregate(*fields_.vcpus.type);
    vcpus_ = fields_.vcpus.offset + (is_xarray_ ? kvm.layout().xarray().head.offset : 0);
    start_ = std::min({fields_.vm_list.offset, fields_.online_vcpus.offset, vcpus_});
    end_ =
        std::max({fields_.vm_list.offset + 2 * pointer_size,
                  fields_.online_vcpus.offset + fields_.online_vcpus.size, vcpus_ + pointer_size});
    if (end_ - start_ > largest_span)
      throw_error(ErrorKind::corrupt, "the fields of a struct kvm are {} bytes apart",
                  end_ - start_);
  }

  std::optional<std::vector<VcpuPlace>> run() {
    const std::optional<Symbol> head = kvm_.variable("vm_list");
    if (!head) throw Error(ErrorKind::corrupt, "kvm has no variable vm_list");
    VirtAddr before{head->address};
    VirtAddr node{kvm_.memory().u64(before)};
    while (node.value != head->address) {
      check_interrupt();
      check_link(node.value, "vm_list", before);
      const VirtAddr vm = node - fields_.vm_list.offset;
      const Piece piece(kvm_.memory(), vm, start_, end_);
      // A list whose links agree cannot go round anywhere else.
      if (piece.number(fields_.vm_list.offset + pointer_size) != before.value || ++vms_ > most_vms)
        throw_error(ErrorKind::corrupt, "vm_list is broken at {:#x}", node.value);
      if (!add_vcpus(vm, piece)) return std::nullopt;
      before = node;
      node = VirtAddr{piece.number(fields_.vm_list.offset)};
    }
    // The list has the newest first.
    for (VcpuPlace& place : places_) place.vm = vms_ - 1 - place.vm;
    std::stable_sort(places_.begin(), places_.end(),
                     [](const VcpuPlace& a, const VcpuPlace& b) { return a.vm < b.vm; });
    return std::move(places_);
  }

 private:
  // False: they are not where one read would find them.
  bool add_vcpus(VirtAddr vm, const Piece& piece) {
    const std::uint64_t count =
        piece.number(fields_.online_vcpus.offset, fields_.online_vcpus.size);
    if (count == 0) return true;
    if (!is_xarray_)
      return count <= fields_.vcpus.count() && add_slots(vm, count, vm + fields_.vcpus.offset);
    const std::uint64_t head = piece.number(vcpus_);
    if ((head & xa_mark_bits) != xa_node_mark) {
      add(vm, head);
      return count == 1;
    }
    const XaNodeFields& node = kvm_.layout().xa_node();
    const VirtAddr at{head - xa_node_mark};
    if (count > node.slots.count()) return false;
    const Piece slots(kvm_.memory(), at, node.shift.offset,
                      node.slots.offset + count * pointer_size);
    if (slots.number(node.shift.offset, 1) != 0) return false;
    for (std::uint64_t i = 0; i < count; ++i)
      add(vm, slots.number(node.slots.offset + i * pointer_size));
    return true;
  }

  bool add_slots(VirtAddr vm, std::uint64_t count, VirtAddr array) {
    const Piece slots(kvm_.memory(), array, 0, count * pointer_size);
    for (std::uint64_t i = 0; i < count; ++i) add(vm, slots.number(i * pointer_size));
    return true;
  }

  void add(VirtAddr vm, std::uint64_t vcpu) {
    check_link(vcpu, "the vCPUs of the VM", vm);
    places_.push_back({vms_ - 1, vm, {vcpu}});
  }

  const Kvm& kvm_;
  const VmFields& fields_;
  bool is_xarray_ = false;
  std::uint64_t vcpus_ = 0;  // offset of the array, or of the xarray's head
  std::uint64_t start_ = 0;
  std::uint64_t end_ = 0;
  unsigned vms_ = 0;
  std::vector<VcpuPlace> places_;
};

}  // namespace

std::optional<std::vector<VcpuPlace>> find_vcpu_places(const Kvm& kvm) {
  return with_context([] { return "looking for the vCPUs"; }, [&] { return Finder(kvm).run(); });
}

}  // namespace kvmscope::kvm
