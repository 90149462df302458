-- recover: all claims of one worker -> back to their queues. For a dead worker by any other, and
-- by a worker for itself as its last act.
--
-- Refused while the lease exists, unless the caller is the owner; and when it comes late, for then
-- Redis stood still meanwhile and all leases have lapsed by that. The first write is one that Redis
-- allows when it is out of memory.
--
-- Deliveries of jobs of dead workers are counted by the payload's digest (a jid may be missing): the
-- counter is the set of workers that died with it, so that a claim full of equal payloads counts
-- once, and so does a call that is repeated. One that has been delivered more often than allowed
-- stays in the claim and is reported, so that the caller can bury it with its cause (settle, M …
-- dead). Its last delivery is a trial: it goes to a list of its own, of which each worker takes one
-- job at a time, so that the innocent are not claimed again beside the one that kills. One that is
-- larger than the cap goes to dead here, unread: it came by a blocking move. At most a
-- number of jobs are moved per call, so that Redis is never busy for long: call again while the
-- reply says more.
--
-- KEYS 1 lease   2 claims registry   3 workers   4 processes   5 <identity>   6 <identity>:work
--      7 dead   8 what is wanted of it   9 <identity>:workers
-- ARGV 1 identity   2 own: 1 the worker itself, 0 another   3 prefix of claim lists
--      4 prefix of queue lists   5 prefix of delivery counters   6 tombstone
--      7 deliveries allowed   8 seconds a counter lives   9 jobs to move at most
--      10 prefix of trial lists   11 Redis' time after which it is too late   12 payload cap
-- Reply: {-2 too late | -1 lease alive | 0 done, worker removed | 1 call again | 2 claims remain, see reports;
--         jobs moved back; keys of another type, whose jobs stay; reports: seq, index, queue,
--         payload …; moved to dead unread: queue, bytes …}
-- include: part/dead.lua
local own = ARGV[2] == '1'
if not own then
    local t = redis.call('TIME')
    if t[1] + t[2] / 1000000 > tonumber(ARGV[11]) then
        return {-2, 0, {}, {}, {}}
    end
    if redis.call('EXISTS', KEYS[1]) == 1 then
        return {-1, 0, {}, {}, {}}
    end
end
redis.call('HDEL', KEYS[2], '')

local allowed, limit, cap = tonumber(ARGV[7]), tonumber(ARGV[9]), tonumber(ARGV[12])
local moved, wrong, reports, unread = 0, {}, {}, {}
local claims = redis.call('HGETALL', KEYS[2])

local function is(key, kind)
    local found = redis.call('TYPE', key).ok
    return found == kind or found == 'none'
end

local function deliveries_of(payload)
    local counter = ARGV[5] .. redis.sha1hex(payload)
    if not is(counter, 'set') then
        redis.call('DEL', counter)
    end
    redis.call('SADD', counter, ARGV[1])
    redis.call('EXPIRE', counter, ARGV[8])
    return redis.call('SCARD', counter)
end

for c = 1, #claims, 2 do
    local seq, queue = claims[c], claims[c + 1]
    local claim, target, trial = ARGV[3] .. seq, ARGV[4] .. queue, ARGV[10] .. queue
    if moved + #unread / 2 >= limit then
        return {1, moved, wrong, reports, unread}
    elseif not is(target, 'list') then
        wrong[#wrong + 1] = target
    else
        local left = 0
        local jobs = redis.call('LRANGE', claim, 0, -1)
        for index, payload in ipairs(jobs) do
            if #payload > cap and not can_bury(KEYS[7]) then
                left = left + 1
                wrong[#wrong + 1] = KEYS[7]
            elseif #payload > cap then
                redis.call('LSET', claim, index - 1, ARGV[6])
                bury(KEYS[7], payload)
                unread[#unread + 1] = queue
                unread[#unread + 1] = #payload
            elseif payload ~= ARGV[6] then
                local deliveries = own and 0 or deliveries_of(payload)
                if deliveries > allowed then
                    left = left + 1
                    reports[#reports + 1] = seq
                    reports[#reports + 1] = tostring(index - 1)
                    reports[#reports + 1] = queue
                    reports[#reports + 1] = payload
                else
                    redis.call('LSET', claim, index - 1, ARGV[6])
                    local last = deliveries == allowed and is(trial, 'list')
                    redis.call('RPUSH', last and trial or target, payload)
                    moved = moved + 1
                end
            end
        end
        if left == 0 then
            redis.call('DEL', claim)
            redis.call('HDEL', KEYS[2], seq)
        end
    end
end

if redis.call('HLEN', KEYS[2]) > 0 then
    return {2, moved, wrong, reports, unread}
end
redis.call('DEL', KEYS[1])
redis.call('SREM', KEYS[3], ARGV[1])
redis.pcall('SREM', KEYS[4], ARGV[1]) -- a display, perhaps broken by others: in nobody's way
redis.call('UNLINK', KEYS[5], KEYS[6], KEYS[8], KEYS[9])
return {0, moved, wrong, reports, unread}
