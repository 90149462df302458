-- cancel: a job is to end, wherever it is. The flag is what holds; the message makes it quick.
--
-- The first write is one that Redis allows when it is out of memory; what follows it then is too.
--
-- KEYS 1 cancelled
-- ARGV 1 jid   2 seconds a flag is kept   3 flags kept at most   4 channel   5 message
-- Reply: 1
local t = redis.call('TIME')
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%d', t[1] - ARGV[2]))
redis.call('ZADD', KEYS[1], string.format('%d.%06d', t[1], t[2]), ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -(ARGV[3] + 1))
redis.call('PUBLISH', ARGV[4], ARGV[5])
return 1
