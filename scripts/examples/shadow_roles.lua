-- Which shadow pages a VM has, by level and role: how many, and how many are unsync.
--   kvmscope -c vmcore -x shadow_roles.lua

for _, vm in ipairs(vms()) do
  local kinds, order = {}, {}
  for _, page in ipairs(vm:pages { tdp = true }) do
    local key = fmt('L%d %s', page.level, page.role_text)
    if kinds[key] == nil then
      kinds[key] = { pages = 0, unsync = 0 }
      order[#order + 1] = key
    end
    kinds[key].pages = kinds[key].pages + 1
    if page.unsync then kinds[key].unsync = kinds[key].unsync + 1 end
  end
  table.sort(order)
  printf('VM %d, %s:\n', vm.vm, vm.mmu_mode)
  for _, key in ipairs(order) do
    printf('  %6d pages, %5d unsync  %s\n', kinds[key].pages, kinds[key].unsync, key)
  end
end
