-- next: when something is due in sorted sets of jobs, by Redis' own clock. Reads only.
--
-- KEYS the sorted sets
-- ARGV 1 horizon: seconds after which the caller looks again anyway
-- Reply: per set the seconds until then as text: 0 due now, -1 nothing before the horizon; 0 for a
--        key that is no sorted set, so that whoever looks closer (due) is told
-- include: part/next.lua
local t = redis.call('TIME')
local now, reply = t[1] + t[2] / 1000000, {}
for i, set in ipairs(KEYS) do
    local kind = redis.call('TYPE', set).ok
    local known = kind == 'zset' or kind == 'none'
    reply[i] = string.format('%.6f', known and next_due(set, now, tonumber(ARGV[1])) or 0)
end
return reply
