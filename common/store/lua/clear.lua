-- clear: all that waits in a queue is deleted.
--
-- KEYS 1 queue list
-- Reply: how many jobs there were
local n = redis.call('LLEN', KEYS[1])
redis.call('UNLINK', KEYS[1])
return n
