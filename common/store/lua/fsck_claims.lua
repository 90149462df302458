-- fsck_claims: claims that no registry names, and back into the registry with them.
--
-- KEYS 1 workers
-- ARGV 1 repair: 1 names each in its registry, and its worker in the set, so that the ordinary
--        recovery (or the living worker itself) finds it   2 prefix of claim lists
--      3 prefix of registries   4… per claim: identity, seq, queue
-- Reply per claim: elements, when no registry names it; else -1
local out = {}
for i = 4, #ARGV, 3 do
    local id, seq = ARGV[i], ARGV[i + 1]
    local claim, registry = ARGV[2] .. id .. ':' .. seq, ARGV[3] .. id
    local n = redis.pcall('LLEN', claim)
    local orphan = type(n) == 'number' and n > 0 and redis.pcall('HEXISTS', registry, seq) == 0
    if orphan and ARGV[1] == '1' then
        redis.call('HSET', registry, seq, ARGV[i + 2])
        redis.pcall('SADD', KEYS[1], id)
    end
    out[#out + 1] = orphan and n or -1
end
return out
