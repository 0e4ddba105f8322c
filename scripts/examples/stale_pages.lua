-- Shadow pages that KVM has given up but cannot free yet: invalid or obsolete ones, and which
-- vCPUs' roots hold them. A VM whose pages never go away shows up here.
--   kvmscope -c vmcore -x stale_pages.lua

for _, vm in ipairs(vms()) do
  local holders = {}
  for _, root in ipairs(vm:roots()) do
    if root.valid and root.sp then
      holders[root.sp] = (holders[root.sp] and holders[root.sp] .. ', ' or '') .. root.name
    end
  end
  local pages, stale = vm:pages(), 0
  for _, page in ipairs(pages) do
    if page.invalid or page.obsolete then
      stale = stale + 1
      printf('VM %d  sp %p  level %d  gfn %#x  %s  root_count %d  held by %s\n', vm.vm, page.sp,
             page.level, page.gfn, page.invalid and 'invalid' or 'obsolete', page.root_count,
             holders[page.sp] or 'no root')
    end
  end
  printf('VM %d: %d of %d pages are stale; mmu_valid_gen %s\n', vm.vm, stale, #pages,
         vm.mmu_valid_gen or '-')
end
