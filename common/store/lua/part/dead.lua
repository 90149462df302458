-- dead: the one way into the dead set, a part of every script that buries jobs.
--
-- The set is trimmed with each addition to what Sidekiq keeps: 180 days, 10,000 entries.

-- False when the key holds another type: what should die must then stay where it is.
local function can_bury(dead)
    local kind = redis.call('TYPE', dead).ok
    return kind == 'zset' or kind == 'none'
end

-- Removing the job from where it was comes first: that write is allowed when memory is full.
local function bury(dead, payload)
    local t = redis.call('TIME')
    redis.call('ZADD', dead, string.format('%d.%06d', t[1], t[2]), payload)
    redis.call('ZREMRANGEBYSCORE', dead, '-inf', string.format('(%d.%06d', t[1] - 15552000, t[2]))
    redis.call('ZREMRANGEBYRANK', dead, 0, -10001)
end
