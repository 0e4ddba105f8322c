-- Guest page tables that KVM shadows more than once: the same gfn with different roles. Each write
-- to such a table has to reach all of them.
--   kvmscope -c vmcore -x shared_gfns.lua

for _, vm in ipairs(vms()) do
  local by_gfn, gfns = {}, {}
  for _, page in ipairs(vm:pages()) do
    if not page.direct then
      if by_gfn[page.gfn] == nil then
        by_gfn[page.gfn] = {}
        gfns[#gfns + 1] = page.gfn
      end
      table.insert(by_gfn[page.gfn], page)
    end
  end
  table.sort(gfns, math.ult)
  local shared = 0
  for _, gfn in ipairs(gfns) do
    local shadows = by_gfn[gfn]
    if #shadows > 1 then
      shared = shared + 1
      printf('VM %d gfn %#x:\n', vm.vm, gfn)
      for _, page in ipairs(shadows) do
        printf('  sp %p  level %d  %s%s\n', page.sp, page.level, page.role_text,
               page.unsync and '  unsync' or '')
      end
    end
  end
  printf('VM %d: %d guest tables are shadowed, %d of them more than once\n', vm.vm, #gfns, shared)
end
