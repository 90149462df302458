-- enqueue: jobs -> their queues and the schedule: all of them or none, once for each idempotency
-- key, and once for each number of a guard.
--
-- KEYS 1 queues   2 schedule   3 record of the idempotency key   4 the guard
-- ARGV 1 prefix of queue lists   2 the record, '' without a key   3 seconds to keep it
--      4 the guard must have come this far, '' without one   5 and not this far yet: the number it
--        gets   6 seconds to keep it
--      then runs of jobs: queue, n, n payloads; or '', n, n times due time and payload
-- Reply: 1 enqueued; the record (a string) when there was one; an array of the guard's number when
--        that forbids it. Nothing is enqueued in these two cases
local guard = ARGV[4] ~= ''
local function pass()
    if guard then
        redis.call('SET', KEYS[4], ARGV[5], 'EX', ARGV[6])
    end
end
if guard then
    local at = tonumber(redis.call('GET', KEYS[4]) or 0)
    if at < tonumber(ARGV[4]) or at >= tonumber(ARGV[5]) then
        return {at}
    end
end
if ARGV[2] ~= '' then
    local was = redis.call('GET', KEYS[3])
    if was then
        pass()
        return was
    end
end
-- Types first, since nothing is undone.
local i = 7
while i <= #ARGV do
    local queue, n = ARGV[i], tonumber(ARGV[i + 1])
    local key = queue == '' and KEYS[2] or ARGV[1] .. queue
    local kind = redis.call('TYPE', key).ok
    if kind ~= 'none' and kind ~= (queue == '' and 'zset' or 'list') then
        return redis.error_reply('WRONGTYPE ' .. key .. ' is no ' .. (queue == '' and 'sorted set' or 'list'))
    end
    i = i + 2 + (queue == '' and 2 * n or n)
end
i = 7
while i <= #ARGV do
    local queue, n = ARGV[i], tonumber(ARGV[i + 1])
    if queue == '' then
        redis.call('ZADD', KEYS[2], unpack(ARGV, i + 2, i + 1 + 2 * n))
        i = i + 2 + 2 * n
    else
        redis.pcall('SADD', KEYS[1], queue)
        redis.call('LPUSH', ARGV[1] .. queue, unpack(ARGV, i + 2, i + 1 + n))
        i = i + 2 + n
    end
end
if ARGV[2] ~= '' then
    redis.call('SET', KEYS[3], ARGV[2], 'EX', ARGV[3])
end
pass()
return 1
