-- fsck_score: due times that are no seconds, in schedule or retry.
--
-- KEYS 1 the sorted set
-- ARGV 1 repair: 1 sets the new scores   2… per entry: score seen, new score, entry
-- Reply: entries that still had the score seen
local found = 0
for i = 2, #ARGV, 3 do
    local score = redis.pcall('ZSCORE', KEYS[1], ARGV[i + 2])
    if type(score) == 'string' and tonumber(score) == tonumber(ARGV[i]) then
        found = found + 1
        if ARGV[1] == '1' then
            redis.call('ZADD', KEYS[1], 'XX', ARGV[i + 1], ARGV[i + 2])
        end
    end
end
return found
