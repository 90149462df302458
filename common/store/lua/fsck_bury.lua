-- fsck_bury: what can never run -> dead, raw.
--
-- Each element is looked for again, since queues move: at the index where it was seen, else by its
-- bytes. Those that are too large to be sent are known by their place and their length.
--
-- KEYS 1 list or sorted set   2 dead
-- ARGV 1 repair: 1 moves them, 0 only counts those that are still there
--      2 length above which an element is too large
--      3… per element: its index or score; its bytes, or '' for a too large one; 1 for such a one
-- Reply: {found; moved}
-- include: part/dead.lua
local kind = redis.call('TYPE', KEYS[1]).ok
local repair = ARGV[1] == '1' and can_bury(KEYS[2])
local t = redis.call('TIME')
local marker = '\0fsck ' .. t[1] .. t[2] -- nobody pushes this; what is marked is taken out at the end
local cap = tonumber(ARGV[2])
local found, moved = 0, 0

local function in_list(place, payload, large)
    local element = redis.call('LINDEX', KEYS[1], place)
    if large then
        if not element or #element <= cap then
            return
        end
    elseif element ~= payload then
        place = redis.call('LPOS', KEYS[1], payload)
        if not place then
            return
        end
        element = payload
    end
    found = found + 1
    if repair then
        redis.call('LSET', KEYS[1], place, marker)
        bury(KEYS[2], element)
        moved = moved + 1
    end
end

local function in_set(element)
    if redis.call('ZSCORE', KEYS[1], element) then
        found = found + 1
        if repair then
            redis.call('ZREM', KEYS[1], element)
            bury(KEYS[2], element)
            moved = moved + 1
        end
    end
end

for i = 3, #ARGV, 3 do
    local place, payload, large = ARGV[i], ARGV[i + 1], ARGV[i + 2] == '1'
    if kind == 'list' then
        in_list(place, payload, large)
    elseif kind == 'zset' and large then
        for _, element in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], place, place)) do
            if #element > cap then
                in_set(element)
            end
        end
    elseif kind == 'zset' then
        in_set(payload)
    end
end
if kind == 'list' and moved > 0 then
    redis.call('LREM', KEYS[1], moved, marker)
end
return {found, moved}
