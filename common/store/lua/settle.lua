-- settle: claim -> nowhere (done), retry, dead, or back to its queue. The only way a job ends.
--
-- Fenced: each operation first looks whether the job still lies in the claim. If the worker was
-- presumed dead and its jobs were given to others, the claim is gone and nothing is written. A
-- settled element is overwritten by a tombstone, which keeps the indexes of its neighbours; a
-- claim whose jobs are all settled is dropped whole.
--
-- A claim is dropped by what lies in it, never by what the worker remembers: a Redis that has lost
-- the last second of its file holds again what the worker has seen settled, and a job whose move
-- to retry was undone must not go with its neighbours.
--
-- Order within an operation: check types, check ownership, remove, add. The first write of the
-- script is one that Redis allows when it is out of memory, so finishing works at the limit.
--
-- KEYS 1 claims registry   2 retry   3 dead   4 stat:processed   5 its day   6 stat:failed
--      7 its day
-- ARGV 1 prefix of claim lists   2 prefix of queue lists   3 prefix of job hashes
--      4 prefix of streams   5 tombstone
--      then operations:
--   A seq index                                  done
--   D seq count                                  the last of the claim, that many, are all done
--   M seq index where stats argument payload     where: retry (argument: delay in seconds), dead,
--                                                queue (argument: name), drop
--                                                stats: 0 none, 1 processed, 2 processed + failed
--   R jid ttl where event n (field value)*n      record of a job; belongs to the operation before
--                                                it, and is written if that was. where: always, or
--                                                found: only into what is there already
-- Reply: per A, D, M: 1 written, 0 no longer ours; and with nothing written, -1 a key of the wrong
-- type, -2 (D) there are more jobs in the claim than these: name each
-- include: part/dead.lua
local claims_key = KEYS[1]
local results, processed, failed = {}, 0, 0

redis.call('HDEL', claims_key, '')

local now
local function time()
    if not now then
        local t = redis.call('TIME')
        now = t[1] + t[2] / 1000000
    end
    return now
end

local types = {}
local function is(key, kind)
    if not types[key] then
        types[key] = redis.call('TYPE', key).ok
    end
    return types[key] == kind or types[key] == 'none'
end

local function owned(claim, index)
    local element = redis.call('LINDEX', claim, index)
    return element and element ~= ARGV[5]
end

local function move(claim, index, where, argument, payload)
    if where == 'retry' then
        if not is(KEYS[2], 'zset') then return -1 end
    elseif where == 'dead' then
        if not is(KEYS[3], 'zset') then return -1 end
    elseif where == 'queue' then
        if not is(ARGV[2] .. argument, 'list') then return -1 end
    end
    if not owned(claim, index) then return 0 end
    redis.call('LSET', claim, index, ARGV[5])
    if where == 'retry' then
        redis.call('ZADD', KEYS[2], string.format('%.6f', time() + argument), payload)
    elseif where == 'dead' then
        bury(KEYS[3], payload)
    elseif where == 'queue' then
        redis.call('RPUSH', ARGV[2] .. argument, payload)
    end
    return 1
end

local function drop(seq, count)
    local claim = ARGV[1] .. seq
    local length = redis.call('LLEN', claim)
    if length > count and length - #redis.call('LPOS', claim, ARGV[5], 'COUNT', 0) > count then
        return -2
    end
    redis.call('HDEL', claims_key, seq)
    return redis.call('DEL', claim)
end

local i = 6
while i <= #ARGV do
    local op = ARGV[i]
    if op == 'D' then
        local count = tonumber(ARGV[i + 2])
        local was = drop(ARGV[i + 1], count)
        if was == 1 then
            processed = processed + count
        end
        results[#results + 1] = was
        i = i + 3
    elseif op == 'A' then
        local claim, index = ARGV[1] .. ARGV[i + 1], ARGV[i + 2]
        local was = owned(claim, index) and 1 or 0
        if was == 1 then
            redis.call('LSET', claim, index, ARGV[5])
            processed = processed + 1
        end
        results[#results + 1] = was
        i = i + 3
    elseif op == 'M' then
        local stats = tonumber(ARGV[i + 4])
        local was = move(ARGV[1] .. ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 5], ARGV[i + 6])
        if was == 1 and stats > 0 then
            processed = processed + 1
            failed = failed + stats - 1
        end
        results[#results + 1] = was
        i = i + 7
    else -- R
        local jid, ttl, event, n = ARGV[i + 1], ARGV[i + 2], ARGV[i + 4], tonumber(ARGV[i + 5])
        if results[#results] == 1 then
            local found_only = ARGV[i + 3] == 'found'
            local job, stream = ARGV[3] .. jid, ARGV[4] .. jid
            if n > 0 and is(job, 'hash') and not (found_only and types[job] == 'none') then
                redis.call('HSET', job, unpack(ARGV, i + 6, i + 5 + 2 * n))
                redis.call('EXPIRE', job, ttl)
            end
            if event ~= '' and is(stream, 'list') and not (found_only and types[stream] == 'none') then
                local length = redis.call('RPUSH', stream, event)
                redis.call('EXPIRE', stream, ttl)
                redis.call('PUBLISH', stream, length)
            end
        end
        i = i + 6 + 2 * n
    end
end

-- Figures never stand in the way of a job: a key of the wrong type is passed over.
local function count(total, day, n)
    if n > 0 then
        redis.pcall('INCRBY', total, n)
        if redis.pcall('INCRBY', day, n) == n then
            redis.pcall('EXPIRE', day, 157680000) -- five years
        end
    end
end
count(KEYS[4], KEYS[5], processed)
count(KEYS[6], KEYS[7], failed)
return results
