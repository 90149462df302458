-- pause: nobody takes jobs from a queue, or everybody may again. The set is what holds; the message
-- makes it quick.
--
-- The first write is one that Redis allows when it is out of memory.
--
-- KEYS 1 paused
-- ARGV 1 queue   2 1 pause, 0 unpause   3 channel   4 message
-- Reply: 1 it was not so before, 0 it was
redis.call('SREM', KEYS[1], '')
local changed = redis.call(ARGV[2] == '1' and 'SADD' or 'SREM', KEYS[1], ARGV[1])
redis.call('PUBLISH', ARGV[3], ARGV[4])
return changed
