-- due: what is due in schedule or retry, by Redis' own clock. Reads only.
--
-- KEYS 1 the sorted set
-- ARGV 1 entries at most   2 due entries to pass over
-- Reply: {Redis' time in seconds as text; score of the next entry that is not due, or ''; due …}
local t = redis.call('TIME')
local now = string.format('%d.%06d', t[1], t[2])
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', ARGV[2], ARGV[1])
local next = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
return {now, next[2] or '', unpack(due)}
