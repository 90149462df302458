-- renew: the worker says that it lives, and learns how things are.
--
-- Whoever has a lease is in the set of workers, because both are written here together and only
-- recover takes them away, together. So every claim can be found.
--
-- The first write is one that Redis allows when it is out of memory: a full server must not make
-- every worker look dead.
--
-- KEYS 1 lease   2 workers   3 claims registry
-- ARGV 1 identity   2 lease in milliseconds
-- Reply: {1 the lease was still alive | 0 it had lapsed; claims in the registry;
--         Redis' time: seconds, microseconds}
local alive = redis.call('PEXPIRE', KEYS[1], ARGV[2])
local t = redis.call('TIME')
if alive == 0 then
    redis.call('SET', KEYS[1], t[1], 'PX', ARGV[2])
    redis.call('SADD', KEYS[2], ARGV[1])
end
return {alive, redis.call('HLEN', KEYS[3]), t[1], t[2]}
