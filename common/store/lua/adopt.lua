-- adopt: reads a claim of our own that we do not know, because its reply was lost or refused.
--
-- What is larger than the cap goes to dead here, unread: nobody has seen how large it is, since a
-- blocking move takes whatever is next. All of it or nothing: who adopts the rest would drop the
-- claim with it.
--
-- KEYS 1 claims registry   2 claim list   3 dead
-- ARGV 1 queue   2 payload cap   3 tombstone
-- Reply: {moved to dead unread: queue, bytes …; elements, tombstones included}, or -1: one is too
--        large and dead is no set (nothing was touched)
-- include: part/dead.lua
local elements, unread = redis.call('LRANGE', KEYS[2], 0, -1), {}
for i, element in ipairs(elements) do
    if #element > tonumber(ARGV[2]) then
        if not can_bury(KEYS[3]) then
            return -1
        end
        redis.call('HDEL', KEYS[1], '') -- a first write that is allowed when memory is full
        redis.call('LSET', KEYS[2], i - 1, ARGV[3])
        bury(KEYS[3], element)
        elements[i] = ARGV[3]
        unread[#unread + 1] = ARGV[1]
        unread[#unread + 1] = #element
    end
end
return {unread, elements}
