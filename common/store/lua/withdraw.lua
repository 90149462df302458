-- withdraw: a job that waits (in a queue, schedule or retry) -> nowhere, because it was cancelled.
--
-- KEYS 1 where it waits   2 its record   3 its stream
-- ARGV 1 payload   2 tracked by itself: 1 or 0   3 seconds to live   4 final event   5… fields of the record
-- Reply: 1 withdrawn, 0 it is not there (any more)
local kind = redis.call('TYPE', KEYS[1]).ok
local removed = 0
if kind == 'list' then
    removed = redis.call('LREM', KEYS[1], -1, ARGV[1])
elseif kind == 'zset' then
    removed = redis.call('ZREM', KEYS[1], ARGV[1])
end
if removed == 0 then
    return 0
end
local function is(key, wanted)
    local found = redis.call('TYPE', key).ok
    return found == wanted or found == 'none'
end
local followed = ARGV[2] == '1' or redis.call('EXISTS', KEYS[2]) == 1
if followed and is(KEYS[2], 'hash') then
    redis.call('HSET', KEYS[2], unpack(ARGV, 5))
    redis.call('EXPIRE', KEYS[2], ARGV[3])
end
if (followed or redis.call('EXISTS', KEYS[3]) == 1) and is(KEYS[3], 'list') then
    local length = redis.call('RPUSH', KEYS[3], ARGV[4])
    redis.call('EXPIRE', KEYS[3], ARGV[3])
    redis.call('PUBLISH', KEYS[3], length)
end
return 1
