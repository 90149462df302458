-- bulk_page: some entries of a set of jobs, for doing something to all of them.
--
-- By ZSCAN, whose promise fits: what is there from the first page to the last is seen, whatever is
-- added and removed in between. Bounded in bytes, with smaller pages where entries are large.
--
-- What is longer than a job may be cannot be sent: it is counted, or deleted here.
--
-- KEYS 1 the sorted set
-- ARGV 1 cursor, 0 at first   2 entries, about   3 bytes   4 longest entry that is sent
--      5 longer ones to delete, at most
-- Reply: {cursor to go on from, '' at the end; entries in the set; longer ones that stay, that are
--        deleted; entries …}
local kind, cap = redis.call('TYPE', KEYS[1]).ok, tonumber(ARGV[4])
if kind == 'none' then
    return {'', 0, 0, 0}
elseif kind ~= 'zset' then
    return redis.error_reply('WRONGTYPE ' .. KEYS[1] .. ' is no sorted set')
end
local count, page = tonumber(ARGV[2]), nil
repeat
    page = redis.call('ZSCAN', KEYS[1], ARGV[1], 'COUNT', count)
    local bytes = 0
    for i = 1, #page[2], 2 do
        bytes = bytes + (#page[2][i] <= cap and #page[2][i] or 0)
    end
    local fits = bytes <= tonumber(ARGV[3]) or count == 1
    count = math.ceil(count / 4)
until fits

local next, stay, deleted = page[1] ~= '0' and page[1] or '', 0, 0
local out = {next, 0, 0, 0}
for i = 1, #page[2], 2 do
    local entry = page[2][i]
    if #entry <= cap then
        out[#out + 1] = entry
    elseif deleted < tonumber(ARGV[5]) then
        deleted = deleted + redis.call('ZREM', KEYS[1], entry)
    else
        stay = stay + 1
    end
end
out[2], out[3], out[4] = redis.call('ZCARD', KEYS[1]), stay, deleted
return out
