-- claim: queue -> claim. Takes a slice off the tail of the first queue that has jobs.
--
-- A claim is a list of its own, in queue order, that belongs to one worker. The jobs are in the
-- queue before this script and in the claim after it: no crash can fall in between. The registry
-- (a hash seq -> queue) tells whoever recovers a dead worker which lists to look at.
--
-- A worker without a lease may not claim: nobody would look for its jobs.
--
-- KEYS 1 claims registry   2 claim list (new)   3 lease   4 paused   5 dead   6… queue lists
-- ARGV 1 seq   2 jobs wanted (1..1000)   3 bytes wanted at most (one job at least)
--      4 payload cap: larger elements go to dead raw   5… queue names, as KEYS from 6
-- Reply: {index of the queue (1-based), 0 = all empty, -1 = no lease;
--         oversize elements moved to dead; indexes of queues that are no list; payloads …}
if redis.call('EXISTS', KEYS[3]) == 0 then
    return {-1, 0, {}}
end

local want, max_bytes, cap = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local wrong, oversize = {}, 0

for i = 6, #KEYS do
    local jobs = redis.pcall('LRANGE', KEYS[i], -want, -1)
    if jobs.err then
        wrong[#wrong + 1] = i - 5
    elseif #jobs > 0 and redis.pcall('SISMEMBER', KEYS[4], ARGV[i - 1]) ~= 1 then
        -- From the tail: the last element is the next to run.
        local first, bytes = #jobs + 1, 0
        while first > 1 do
            local size = #jobs[first - 1]
            if size > cap then
                break
            end
            bytes = bytes + size
            if bytes > max_bytes and first <= #jobs then
                break
            end
            first = first - 1
        end
        if first <= #jobs then
            redis.call('RPUSH', KEYS[2], unpack(jobs, first))
            redis.call('LTRIM', KEYS[i], 0, -(#jobs - first + 2))
            redis.call('HSET', KEYS[1], ARGV[1], ARGV[i - 1])
            return {i - 5, oversize, wrong, unpack(jobs, first)}
        end
        -- The very next element is oversize: to dead, unread. Look at this queue again next time.
        if redis.call('TYPE', KEYS[5]).ok ~= 'zset' and redis.call('EXISTS', KEYS[5]) == 1 then
            wrong[#wrong + 1] = i - 5
        else
            local t = redis.call('TIME')
            redis.call('RPOP', KEYS[i])
            redis.call('ZADD', KEYS[5], string.format('%d.%06d', t[1], t[2]), jobs[#jobs])
            oversize = oversize + 1
        end
    end
end
return {0, oversize, wrong}
