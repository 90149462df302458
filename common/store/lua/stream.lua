-- stream: appends events of a running job to its output, numbers them and wakes the viewers.
--
-- Fenced like settle: output of a job that is no longer ours is not written. The index of an
-- event in the list is its id, so the list is never trimmed in front; when it is full, one marker
-- is appended and later events are refused.
--
-- KEYS 1 stream   2 claim list
-- ARGV 1 index in the claim   2 tombstone   3 seconds to live   4 events at most
--      5 length before, or -1 when unknown: if it is already longer, an earlier try whose reply was
--      lost has appended these events   6… events (none: only ask for the length)
-- Reply: the new length; -1 no longer ours; -2 full; -3 the stream's key is no list
local element = redis.call('LINDEX', KEYS[2], ARGV[1])
if not element or element == ARGV[2] then
    return -1
end
local length = redis.pcall('LLEN', KEYS[1])
if type(length) == 'table' then
    return -3
end
local before = tonumber(ARGV[5])
if #ARGV < 6 or (before >= 0 and length > before) then
    return length
end
local room = tonumber(ARGV[4]) - length
if room < 0 then
    return -2
end
local last = math.min(#ARGV, 5 + room)
for from = 6, last, 1000 do
    length = redis.call('RPUSH', KEYS[1], unpack(ARGV, from, math.min(last, from + 999)))
end
if last < #ARGV then
    length = redis.call('RPUSH', KEYS[1], '{"type":"truncated"}')
end
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('PUBLISH', KEYS[1], length)
return length
