-- stream_page: events of a job for its viewers, and what else tells whether more will come.
--
-- Bounded in bytes, because an event may have a megabyte: at least one event, if there is one.
--
-- KEYS 1 stream   2 record
-- ARGV 1 events to skip   2 events at most   3 bytes at most
-- Reply: {length of the stream; state of the record or ''; the last event when there is none after
--         these, else ''; events …}
local length = redis.pcall('LLEN', KEYS[1])
if type(length) == 'table' then
    length = 0 -- no list: no output
end
local state = redis.pcall('HGET', KEYS[2], 'state')
if type(state) ~= 'string' then
    state = ''
end
local at, left, bytes = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local reply = {length, state, ''}
if at >= length then
    reply[3] = length > 0 and redis.call('LINDEX', KEYS[1], -1) or ''
    return reply
end
while left > 0 and at < length do
    local step = math.min(left, 100)
    for _, event in ipairs(redis.call('LRANGE', KEYS[1], at, at + step - 1)) do
        if bytes < #event and #reply > 3 then
            return reply
        end
        reply[#reply + 1] = event
        bytes = bytes - #event
    end
    at, left = at + step, left - step
end
return reply
