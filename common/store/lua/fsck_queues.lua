-- fsck_queues: queues with jobs that dashboards do not see.
--
-- KEYS 1 queues
-- ARGV 1 repair: 1 adds them   2 prefix of queue lists   3… names
-- Reply per name: jobs, when there are some and the set does not have it; else 0
local out = {}
for i = 3, #ARGV do
    local n = redis.pcall('LLEN', ARGV[2] .. ARGV[i])
    local unseen = type(n) == 'number' and n > 0 and
        redis.pcall('SISMEMBER', KEYS[1], ARGV[i]) == 0
    if unseen and ARGV[1] == '1' then
        redis.call('SADD', KEYS[1], ARGV[i])
    end
    out[#out + 1] = unseen and n or 0
end
return out
