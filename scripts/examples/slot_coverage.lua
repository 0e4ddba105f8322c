-- How much of each memslot the current roots map, and by leaves of which size.
--   kvmscope -c vmcore -x slot_coverage.lua [VM]

local function leaf_frames(vm)
  local frames, seen = {}, {}
  for _, root in ipairs(vm:roots()) do
    if root.valid and root.slot == 'current' and not seen[root.hpa] then
      seen[root.hpa] = true
      for entry in root:walk() do
        if entry.kind == 'leaf' and math.type(entry.gfn) == 'integer' then
          local size = 1 << 9 * (entry.level - 1)
          for gfn = entry.gfn, entry.gfn + size - 1 do
            frames[gfn] = math.max(frames[gfn] or 0, entry.level)
          end
        end
      end
    end
  end
  return frames
end

for _, vm in ipairs(vms()) do
  if arg[1] == nil or tonumber(arg[1]) == vm.vm then
    local frames = leaf_frames(vm)
    printf('VM %d (%s):\n', vm.vm, vm.id or '-')
    for _, slot in ipairs(vm:slots()) do
      local mapped, huge = 0, 0
      for gfn, level in pairs(frames) do
        if gfn >= slot.base_gfn and gfn < slot.end_gfn then
          mapped = mapped + 1
          if level > 1 then huge = huge + 1 end
        end
      end
      printf('  slot %3d.%d  gfn %#8x to %#8x  %6d pages, %6d mapped, %6d by huge leaves\n', slot.id,
             slot.as_id, slot.base_gfn, slot.end_gfn, slot.npages, mapped, huge)
    end
  end
end
