-- answer: what became of an order, for whoever gave it.
--
-- KEYS 1 list of the reply
-- ARGV 1 answer   2 seconds the list is kept   3 answers kept at most
-- Reply: 1 appended, 0 the list is full
if redis.call('LLEN', KEYS[1]) >= tonumber(ARGV[3]) then
    return 0
end
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
