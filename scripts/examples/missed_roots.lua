-- How often guest tasks switch CR3 to a root that is not in prev_roots, so that kvm_mmu_load() has
-- to find or build one: a histogram per second, by sampling. A switch between two samples that
-- comes back is not seen, and prev_roots of the sample before stand for those of the switch.
--   kvmscope -x missed_roots.lua [SECONDS [HZ]]        (a dump stands still: no switches)

local seconds = tonumber(arg[1] or 10)
local hz = tonumber(arg[2] or 200)

local targets = {}
for _, vm in ipairs(vms()) do
  for _, vcpu in ipairs(vm:vcpus()) do
    targets[#targets + 1] = { vm = vm.kvm, vcpu = vcpu.kvm_vcpu, last = vcpu:sample() }
  end
end

local function is_in_prev(slot, sample)
  for _, prev in ipairs(sample.prev) do
    if prev.valid and prev.hpa == slot.hpa and prev.pgd == slot.pgd then return true end
  end
  return false
end

-- Counts one round of samples.
local function sample_all(counts)
  for _, target in ipairs(targets) do
    local fine, sample = pcall(sample_roots, target.vm, target.vcpu)
    if fine and not sample.torn then -- torn: in the middle of a switch
      counts.samples = counts.samples + 1
      if sample.valid and (sample.hpa ~= target.last.hpa or sample.pgd ~= target.last.pgd) then
        local kind = is_in_prev(sample, target.last) and 'known' or 'missed'
        counts[kind] = counts[kind] + 1
      end
      target.last = sample
    end
  end
end

printf('%d vCPUs, %d samples a second\n', #targets, hz)
print('SECOND  SAMPLES  KNOWN  MISSED')
local total = { samples = 0, known = 0, missed = 0 }
for second = 1, is_live() and seconds or 0 do
  local counts = { samples = 0, known = 0, missed = 0 }
  local ends = now() + 1
  while now() < ends do
    sample_all(counts)
    sleep(1 / hz)
  end
  printf('%6d  %7d  %5d  %6d  %s\n', second, counts.samples, counts.known, counts.missed,
         string.rep('#', math.min(counts.missed, 60)))
  for name, count in pairs(counts) do total[name] = total[name] + count end
end
printf('total   %7d  %5d  %6d\n', total.samples, total.known, total.missed)
