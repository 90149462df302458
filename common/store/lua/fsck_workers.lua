-- fsck_workers: what the books say about some identities, in one instant.
--
-- KEYS 1 workers
-- ARGV 1 repair: 1 names the orphans in the set   2 prefix of leases   3 prefix of registries
--      4 prefix of identities   5… per identity: itself; why it is asked about: "lease",
--      "registry", or "" when it is in the set
-- Reply per identity: {1 an orphan: the set does not have it, and it holds a lease (asked about
--      that) or claims without one (asked about the registry); in the set; lease; claims in the
--      registry; time of its last report, or ''}
local out = {}
for i = 5, #ARGV, 2 do
    local id, about = ARGV[i], ARGV[i + 1]
    local member = redis.pcall('SISMEMBER', KEYS[1], id)
    local lease = redis.call('EXISTS', ARGV[2] .. id)
    local claims = redis.pcall('HLEN', ARGV[3] .. id)
    local beat = redis.pcall('HGET', ARGV[4] .. id, 'beat')
    if type(claims) ~= 'number' then
        claims = 0
    end
    if type(member) ~= 'number' then
        member = 1 -- the set is of the wrong type, which is a finding of its own
    end
    local orphan = member == 0 and
        (about == 'lease' and lease == 1 or about == 'registry' and lease == 0 and claims > 0)
    if orphan and ARGV[1] == '1' then
        redis.call('SADD', KEYS[1], id)
    end
    out[#out + 1] = {orphan and 1 or 0, member, lease, claims, type(beat) == 'string' and beat or ''}
end
return out
