-- forget: takes a claim that holds nothing out of the registry.
--
-- KEYS 1 claims registry   2 claim list
-- ARGV 1 seq
-- Reply: 1 forgotten, 0 there are jobs in it
if redis.call('EXISTS', KEYS[2]) == 1 then
    return 0
end
redis.call('HDEL', KEYS[1], ARGV[1])
return 1
