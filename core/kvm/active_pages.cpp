// The list of a VM's shadow pages, also while KVM changes it.

#include <array>

#include "core/kvm/kvm.hpp"
#include "core/memory/settle.hpp"
#include "core/object/containers.hpp"

namespace kvmscope::kvm {
namespace {

constexpr std::uint64_t most_active_pages = 100'000'000;

// Reads a page's whole header where the walk asks for its links: one system call. The links do not
// matter one by one: the VM's counters say whether the set of pages changed.
class HeaderMemory final : public VirtReader {
 public:
  HeaderMemory(const SteadyMemory& memory, VirtAddr head, const PageFields& fields,
               bool links_matter)
      : memory_(memory), head_(head), fields_(fields), links_matter_(links_matter) {}

  void read(VirtAddr at, MutableBytes into) const override {
    // Only once: a page that is met again is read again.
    if (at != head_) memory_.keep(at - fields_.link.offset, fields_.size());
    if (links_matter_)
      memory_.read(at, into);
    else
      memory_.peek(at, into);
  }

 private:
  const SteadyMemory& memory_;
  VirtAddr head_;
  const PageFields& fields_;
  bool links_matter_;
};

// Headers are kept no longer than somebody looks at them.
class KeptHeaders {
 public:
  explicit KeptHeaders(const SteadyMemory& memory) : memory_(memory) {}
  KeptHeaders(const KeptHeaders&) = delete;
  KeptHeaders& operator=(const KeptHeaders&) = delete;
  ~KeptHeaders() { memory_.drop_kept(); }

 private:
  const SteadyMemory& memory_;
};

}  // namespace

// KVM holds mmu_lock for writing while it adds or takes away a page, so at most one such step is
// half done when they are read. A step that is over by the next time has changed used_pages unless
// the opposite step came, too, and that changed one of the others.
void Kvm::use_page_counters(const Vm& vm) const {
  const VmFields& fields = layout_.vm();
  for (const Field* field : {&fields.used_pages, &fields.pages_created, &fields.pages_zapped}) {
    std::array<std::byte, 8> bytes{};
    if (!field->present() || field->size > bytes.size()) continue;
    const MutableBytes value = MutableBytes(bytes).first(field->size);
    memory().peek(vm.fields.address_of(*field), value);
    memory().used(vm.fields.address_of(*field), value, {field->structure, field->spelling});
  }
}

void Kvm::walk_active_pages(const Vm& vm, const std::function<void(VirtAddr)>& visit) const {
  const PageFields& fields = layout_.page();
  const VmFields& of_vm = layout_.vm();
  const VirtAddr head = vm.fields.address_of(of_vm.active_pages);
  require(fields.link);
  std::uint64_t found = 0;
  const auto page = [&](VirtAddr node) {
    ++found;
    visit(node - fields.link.offset);
  };
  const auto what = [&] {
    // The count holds invalid roots too, which are on no list, so it tells the most.
    const std::optional<std::uint64_t> used = vm.fields.find(of_vm.used_pages);
    const std::string missing =
        used && *used >= found
            ? fmt::format(": at most {} of {} pages are missing", *used - found, *used)
            : "";
    return fmt::format("walking active_mmu_pages of VM {}{}", vm.index, missing);
  };
  with_context(what, [&] {
    const SteadyMemory* steady = kernel_.steady();
    if (steady == nullptr) return walk_list_from_both_ends(memory(), head, page, most_active_pages);
    use_page_counters(vm);
    const bool counted = of_vm.pages_created.present() && of_vm.pages_zapped.present();
    walk_list_from_both_ends(HeaderMemory(*steady, head, fields, !counted), head, page,
                             most_active_pages);
  });
}

void Kvm::each_active_page(const Vm& vm, const std::function<void(VirtAddr)>& visit,
                           const std::function<void()>& finish) const {
  const SteadyMemory* steady = kernel_.steady();
  if (steady == nullptr) {
    walk_active_pages(vm, visit);
    return finish();
  }
  const KeptHeaders kept(*steady);
  std::vector<VirtAddr> pages;
  std::string change;
  const std::optional<Error> lost = lost_in([&] {
    change = settle(steady, [&] {
      pages.clear();
      steady->drop_kept();
      walk_active_pages(vm, [&](VirtAddr page) { pages.push_back(page); });
    });
  });
  for (const VirtAddr page : pages) visit(page);
  finish();
  if (lost) throw Error(*lost);
  if (!change.empty())
    throw_error(ErrorKind::torn, "active_mmu_pages changed while it was walked: {}", change);
}

void Kvm::use_identity(const ShadowPage& page) const {
  const PageFields& fields = layout_.page();
  const auto use = [&](const Field& field, const auto& value) {
    memory().used(page.address + field.offset, std::as_bytes(std::span(&value, 1)),
                  {field.structure, field.spelling});
  };
  use(fields.role, page.role.word);
  use(fields.gfn, page.gfn.value);
  use(fields.spt, page.spt.value);
  // A page is invalid before it is freed, and then lives by its users alone: the words above stay
  // as they are when the last one goes.
  const Field& count =
      page.tdp_mmu && fields.tdp_root_count.present() ? fields.tdp_root_count : fields.root_count;
  const auto users = static_cast<std::int32_t>(page.root_count);
  if (page.role.invalid && count.size == sizeof users) use(count, users);
}

std::uint64_t Kvm::active_page_count(const Vm& vm) const {
  std::optional<KeptHeaders> kept;
  if (kernel_.steady() != nullptr) kept.emplace(*kernel_.steady());
  std::uint64_t count = 0;
  walk_active_pages(vm, [&](VirtAddr) { ++count; });
  return count;
}

}  // namespace kvmscope::kvm
