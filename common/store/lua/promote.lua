-- promote: schedule or retry -> queue. Each entry exactly once, however many pollers race.
--
-- The new payload (enqueued_at set) is made by the caller, since a script would have to decode
-- and re-encode it. An entry that somebody else has taken meanwhile is passed over.
--
-- KEYS 1 the sorted set   2 queues   3 dead
-- ARGV 1 prefix of queue lists, then per entry: old payload, new payload, queue
--      an empty queue name buries the entry raw (it is not a job)
-- Reply: {entries moved; queues that are no list, once per entry}
-- include: part/dead.lua
local moved, wrong = 0, {}
for i = 2, #ARGV, 3 do
    local old, new, queue = ARGV[i], ARGV[i + 1], ARGV[i + 2]
    local target = queue ~= '' and ARGV[1] .. queue or KEYS[3]
    local wanted = queue ~= '' and 'list' or 'zset'
    local kind = redis.call('TYPE', target).ok
    if kind ~= wanted and kind ~= 'none' then
        wrong[#wrong + 1] = queue
    elseif redis.call('ZREM', KEYS[1], old) == 1 then
        if queue ~= '' then
            redis.pcall('SADD', KEYS[2], queue)
            redis.call('LPUSH', target, new)
        else
            bury(target, old)
        end
        moved = moved + 1
    end
end
return {moved, wrong}
