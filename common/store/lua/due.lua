-- due: what is due in schedule or retry, by Redis' own clock. Reads, but for what is too large to
-- be read: that goes to dead.
--
-- KEYS 1 the sorted set   2 dead
-- ARGV 1 entries at most   2 due entries to pass over   3 bytes at most (one entry at least)
--      4 payload cap: larger entries go to dead raw
-- Reply: {Redis' time in seconds as text; 1 when more may be due, else 0;
--         moved to dead unread: '', bytes …;
--         entries that are too large and stay, since dead is no set; due …}
-- include: part/dead.lua
local t = redis.call('TIME')
local now = string.format('%d.%06d', t[1], t[2])
local entries = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', ARGV[2], ARGV[1])
local more = #entries == tonumber(ARGV[1]) and 1 or 0
local due, bytes, unread, stuck = {}, 0, {}, 0
for _, entry in ipairs(entries) do
    if #entry <= tonumber(ARGV[4]) then
        bytes = bytes + #entry
        if bytes > tonumber(ARGV[3]) and #due > 0 then
            more = 1
            break
        end
        due[#due + 1] = entry
    elseif can_bury(KEYS[2]) then
        local rank = ARGV[2] + #due + stuck -- all before it that are still there; spares a copy
        redis.call('ZREMRANGEBYRANK', KEYS[1], rank, rank)
        bury(KEYS[2], entry)
        unread[#unread + 1] = ''
        unread[#unread + 1] = #entry
    else
        stuck = stuck + 1
    end
end
return {now, more, unread, stuck, unpack(due)}
