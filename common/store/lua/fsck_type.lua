-- fsck_type: a key that holds another type than its name says, out of the way.
--
-- KEYS 1 the key   2 its name in quarantine
-- ARGV 1 the type it should have; "integer" is a string of digits; "nothing" is never right
--      2 repair: 1 renames it
-- Reply: {what it is, '' when it is right or gone; 1 renamed}
local found = redis.call('TYPE', KEYS[1]).ok
local right = found == 'none' or found == ARGV[1]
if ARGV[1] == 'integer' and found == 'string' then
    right = redis.call('STRLEN', KEYS[1]) <= 20 and
        string.match(redis.call('GET', KEYS[1]), '^-?%d+$') ~= nil
    found = 'string without a number'
end
if right then
    return {'', 0}
end
return {found, ARGV[2] == '1' and redis.call('RENAMENX', KEYS[1], KEYS[2]) or 0}
