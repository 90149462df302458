-- next: when something is due in sorted sets of jobs, by Redis' own clock. Reads only.
--
-- KEYS the sorted sets
-- ARGV 1 horizon: seconds after which the caller looks again anyway
-- Reply: per set the seconds until then as text: 0 due now or no sorted set, -1 nothing before the
--        horizon
-- include: part/next.lua
local t = redis.call('TIME')
local now, reply = t[1] + t[2] / 1000000, {}
for i, set in ipairs(KEYS) do
    reply[i] = string.format('%.6f', next_due(set, now, tonumber(ARGV[1])))
end
return reply
