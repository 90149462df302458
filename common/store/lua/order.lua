-- order: what is wanted of workers from now on: written down under a new number, and told.
--
-- The first write is one that Redis allows when it is out of memory: workers can be stopped then,
-- too.
--
-- KEYS 1 workers   2 wanted of all
-- ARGV 1 identity, '' for all   2 prefix of leases   3 prefix of what is wanted of one
--      4 seconds that is kept   5 channel   6 the message without its closing brace
--      7 1: of those that are there only   8… field, value …
-- Reply: {number; connections that heard it; identities it is for …}, {0} when there is no such
--         worker
local ids = {}
for _, id in ipairs(ARGV[1] ~= '' and {ARGV[1]} or redis.call('SMEMBERS', KEYS[1])) do
    if redis.call('EXISTS', ARGV[2] .. id) == 1 then
        ids[#ids + 1] = id
    end
end
if ARGV[1] ~= '' and #ids == 0 then
    return {0}
end

redis.call('HDEL', KEYS[2], '')
local t = redis.call('TIME')
local number = math.max(t[1] * 1000000 + t[2], (tonumber(redis.call('HGET', KEYS[2], 'last')) or 0) + 1)
local text = string.format('%.0f', number)
redis.call('HSET', KEYS[2], 'last', text)

local fields = {}
for i = 8, #ARGV, 2 do
    fields[#fields + 1] = ARGV[i]
    fields[#fields + 1] = text .. ' ' .. ARGV[i + 1]
end
if #fields > 0 and ARGV[1] == '' and ARGV[7] ~= '1' then
    redis.call('HSET', KEYS[2], unpack(fields))
elseif #fields > 0 then
    for _, id in ipairs(ids) do
        redis.call('HSET', ARGV[3] .. id, unpack(fields))
        redis.call('EXPIRE', ARGV[3] .. id, ARGV[4])
    end
end
local heard = redis.call('PUBLISH', ARGV[5], ARGV[6] .. ',"n":' .. text .. '}')
return {text, heard, unpack(ids)}
