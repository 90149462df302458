-- fsck_expire: keys that should go away by themselves, and would not.
--
-- KEYS the keys
-- ARGV 1 repair: 1 sets the time to live   2 that, in milliseconds
--      3 the type that they should have: wrong ones are a finding of their own
-- Reply: how many had none
local n = 0
for i = 1, #KEYS do
    if redis.call('PTTL', KEYS[i]) == -1 and redis.call('TYPE', KEYS[i]).ok == ARGV[3] then
        n = n + 1
        if ARGV[1] == '1' then
            redis.call('PEXPIRE', KEYS[i], ARGV[2])
        end
    end
end
return n
