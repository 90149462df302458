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
--      4 payload cap: larger elements go to dead raw   5 bytes of a queue list's key before its name
-- Reply: {index of the queue (1-based), 0 = all empty, -1 = no lease;
--         moved to dead unread: queue, bytes …; indexes of queues that are passed over, since they
--         are no list or dead is no set; payloads …}
-- include: part/dead.lua
if redis.call('EXISTS', KEYS[3]) == 0 then
    return {-1, {}, {}}
end

local want, max_bytes, cap = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local wrong, unread = {}, {}

-- Where the slice of jobs begins that may be claimed: it ends with the last, the next to run.
local function slice(jobs)
    local first, bytes = #jobs + 1, 0
    while first > 1 do
        local size = #jobs[first - 1]
        bytes = bytes + size
        if size > cap or (bytes > max_bytes and first <= #jobs) then
            break
        end
        first = first - 1
    end
    return first
end

-- How many jobs to look at: no more than are wanted if all are of the size of the next one. Each
-- that is looked at is copied, and a hundred large ones take longer than all else together.
local function look_at(size)
    return size > cap and want or math.max(1, math.min(want, math.floor(max_bytes / size)))
end

-- Many empty queues are passed in strides: to look at each takes longer than to claim. Returns where
-- one that is not empty may be next.
local function pass_empty(i)
    local stride = 8
    while stride > 2 and i <= #KEYS do
        local last = math.min(i + stride - 1, #KEYS)
        if redis.call('EXISTS', unpack(KEYS, i, last)) == 0 then
            i, stride = last + 1, math.min(stride * 2, 256)
        else
            stride = stride / 2
        end
    end
    return i
end

local i, empty = 6, 0
while i <= #KEYS do
    local tail = redis.pcall('LINDEX', KEYS[i], -1)
    if not tail then
        empty = empty + 1
    elseif type(tail) == 'table' then
        wrong[#wrong + 1] = i - 5
    else
        local queue = string.sub(KEYS[i], ARGV[5] + 1)
        if redis.pcall('SISMEMBER', KEYS[4], queue) ~= 1 then
            local jobs = redis.call('LRANGE', KEYS[i], -look_at(#tail), -1)
            while #jobs > 0 and #jobs[#jobs] > cap and can_bury(KEYS[5]) do
                local job = table.remove(jobs)
                redis.call('LTRIM', KEYS[i], 0, -2) -- RPOP would answer with another copy
                bury(KEYS[5], job)
                unread[#unread + 1] = queue
                unread[#unread + 1] = #job
            end
            local first = slice(jobs)
            if first <= #jobs then
                redis.call('RPUSH', KEYS[2], unpack(jobs, first))
                redis.call('LTRIM', KEYS[i], 0, -(#jobs - first + 2))
                redis.call('HSET', KEYS[1], ARGV[1], queue)
                return {i - 5, unread, wrong, unpack(jobs, first)}
            elseif #jobs > 0 then
                wrong[#wrong + 1] = i - 5
            end
        end
    end
    i = i + 1
    if empty == 4 then
        i, empty = pass_empty(i), 0
    end
end
return {0, unread, wrong}
