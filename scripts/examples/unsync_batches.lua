-- What mmu_unsync_walk() collects in struct kvm_mmu_pages, and the path from the root to the leaf
-- that struct mmu_page_path holds at each step of for_each_sp(): below every root with unsync
-- children, or below those that are named.
--   kvmscope -c vmcore -x unsync_batches.lua [--json] [ROOT...]

local as_json = arg[1] == '--json'
if as_json then table.remove(arg, 1) end

local function wanted(root)
  if #arg == 0 then return true end
  for _, name in ipairs(arg) do
    if name == root.name then return true end
  end
  return false
end

local function show(batch)
  printf('%s batch %d: %d pages in kvm_mmu_pages\n', batch.name, batch.batch, #batch.pages)
  for i, page in ipairs(batch.pages) do
    printf('  page[%2d]  sp %p  level %d  gfn %#x  idx %d\n', i - 1, page.sp, page.level, page.gfn,
           page.idx)
  end
  for i, step in ipairs(batch.steps) do
    local path = {}
    for _, parent in ipairs(step.parents) do
      table.insert(path, 1, fmt('%d:%#x[%d]', parent.level, parent.gfn, parent.idx))
    end
    printf('  step %d  %s -> page[%d]\n', i, table.concat(path, ' -> '), step.at)
  end
end

local found, seen = {}, {}
for _, vm in ipairs(vms()) do
  for _, root in ipairs(vm:roots()) do
    -- Several slots may hold the same root.
    if root.valid and root.sp and not seen[root.sp] and wanted(root) then
      seen[root.sp] = true
      if root.unsync_children > 0 then
        for _, batch in ipairs(root:unsync()) do found[#found + 1] = batch end
      end
    end
  end
end
if as_json then
  print(json(found))
else
  for _, batch in ipairs(found) do show(batch) end
  printf('%d batches\n', #found)
end
