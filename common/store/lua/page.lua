-- page: some entries of a sorted set by rank, from the first or from the last on.
--
-- KEYS 1 the sorted set
-- ARGV 1 rank of the first   2 entries at most   3 1: from the last backwards
--      4 length of an entry that is still sent   5 bytes of entries at most (one entry at least)
-- Reply: {entries in the set; then per entry: its bytes, or its length when it is longer; its score}
local total = redis.call('ZCARD', KEYS[1])
local verb = ARGV[3] == '1' and 'ZREVRANGE' or 'ZRANGE'
local page = redis.call(verb, KEYS[1], ARGV[1], ARGV[1] + ARGV[2] - 1, 'WITHSCORES')
local out, cap, bytes = {total}, tonumber(ARGV[4]), 0
for i = 1, #page, 2 do
    local size = #page[i]
    if size <= cap then
        bytes = bytes + size
        if bytes > tonumber(ARGV[5]) and i > 1 then
            break
        end
    end
    out[#out + 1] = size > cap and size or page[i]
    out[#out + 1] = page[i + 1]
end
return out
