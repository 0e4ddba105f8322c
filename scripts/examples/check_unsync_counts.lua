-- Whether unsync_children of each shadow page is the number of bits in its unsync_child_bitmap, as
-- mmu_unsync_walk() takes for granted. Reads the structs themselves, not kvmscope's model.
-- Status 1 when one is not.
--   kvmscope -c vmcore -x check_unsync_counts.lua

local function count_bits(words)
  local count = 0
  for _, word in elements(words) do
    while word ~= 0 do
      word = word & (word - 1)
      count = count + 1
    end
  end
  return count
end

local pages, wrong = 0, 0
for _, vm in ipairs(vms()) do
  local head = vm.object.arch.active_mmu_pages
  for sp in list(head, 'struct kvm_mmu_page', 'link') do
    pages = pages + 1
    local bits = count_bits(sp.unsync_child_bitmap)
    if bits ~= sp.unsync_children then
      wrong = wrong + 1
      printf('VM %d: sp %p gfn %#x: unsync_children is %d, but %d bits are set\n', vm.vm, sp,
             sp.gfn, sp.unsync_children, bits)
    end
  end
end
printf('%d pages, %d with a wrong count\n', pages, wrong)
exit(wrong > 0 and 1 or 0)
