-- The fields that drgn_walk.py's pages() reads of each shadow page, member by member. Prints the
-- seconds that the loop takes, and the number of pages; memory is warm by then.

local function pages()
  local result = {}
  for _, vm in ipairs(vms()) do
    local head = vm.object.arch.active_mmu_pages
    for sp in list(head, 'struct kvm_mmu_page', 'link') do
      local role = sp.role.word
      local parents = sp.parent_ptes.val
      if parents & 1 ~= 0 then
        parents = deref(cast((parents & ~3) + 8, 'unsigned long *'))
      end
      result[#result + 1] = { sp, role & 15, sp.gfn, sp.spt, role, sp.unsync, sp.root_count,
                              sp.unsync_children, sp.mmu_valid_gen, sp.tdp_mmu_page, parents }
    end
  end
  return result
end

pages()
local started = now()
local found = pages()
print(fmt('{"seconds": %f, "answer": %d}', now() - started, #found))
