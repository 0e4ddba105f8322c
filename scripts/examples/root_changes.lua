-- Each vCPU's root_hpa, and how it changes as the guest runs: one line for each change that a
-- sample sees, with where the new root was among the prev_roots of the sample before.
--   kvmscope -x root_changes.lua [SECONDS [HZ]]       (a dump stands still: one sample)

local seconds = tonumber(arg[1] or 5)
local hz = tonumber(arg[2] or 100)

local function place(slot, sample)
  for i, prev in ipairs(sample.prev) do
    if prev.valid and prev.hpa == slot.hpa and prev.pgd == slot.pgd then
      return fmt('was prev%d', i - 1)
    end
  end
  return 'new'
end

local targets = {}
for _, vm in ipairs(vms()) do
  for _, vcpu in ipairs(vm:vcpus()) do
    local sample = vcpu:sample()
    printf('%d.%d  root_hpa %#x  pgd %#x  cr3 %#x\n', vm.vm, vcpu.vcpu, sample.hpa,
           sample.pgd or 0, sample.cr3)
    targets[#targets + 1] = { vm = vm.kvm, vcpu = vcpu.kvm_vcpu,
                              name = fmt('%d.%d', vm.vm, vcpu.vcpu), last = sample, changes = 0 }
  end
end

local started = now()
while is_live() and now() - started < seconds do
  sleep(1 / hz)
  for _, target in ipairs(targets) do
    local fine, sample = pcall(sample_roots, target.vm, target.vcpu)
    fine = fine and not sample.torn -- in the middle of a switch
    if fine and (sample.hpa ~= target.last.hpa or sample.pgd ~= target.last.pgd) then
      target.changes = target.changes + 1
      printf('%8.3f s  %s  root_hpa %#x -> %#x  %s\n', now() - started, target.name,
             target.last.hpa, sample.hpa, place(sample, target.last))
    end
    if fine then target.last = sample end
  end
end
for _, target in ipairs(targets) do printf('%s  %d changes\n', target.name, target.changes) end
