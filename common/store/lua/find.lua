-- find: elements of a list or a sorted set that contain a text, page by page.
--
-- Only those cross the wire. What is longer than a job may be is passed over: nobody would read it.
--
-- KEYS 1 the list (looked at from its tail, where the next to run is) or set
-- ARGV 1 where to go on: elements of a list passed, cursor of a set; 0 at first
--      2 elements, of a set about so many   3 the text   4 longest element
-- Reply: {where to go on, '' at the end; elements looked at; then per element: its bytes; its index
--        from the tail, or its score}
-- include: part/scan.lua
local kind, longest = redis.call('TYPE', KEYS[1]).ok, tonumber(ARGV[4])
local out = {'', 0}
local function look(element, place)
    out[2] = out[2] + 1
    if #element <= longest and string.find(element, ARGV[3], 1, true) then
        out[#out + 1] = element
        out[#out + 1] = place
    end
end
if kind == 'list' then
    local page = redis.call('LRANGE', KEYS[1], -ARGV[1] - ARGV[2], -ARGV[1] - 1)
    for i = #page, 1, -1 do
        look(page[i], ARGV[1] + #page - i)
    end
    if #page == tonumber(ARGV[2]) then
        out[1] = string.format('%d', ARGV[1] + ARGV[2])
    end
elseif kind == 'zset' then
    out[1] = scan(KEYS[1], ARGV[1], ARGV[2], look)
end
return out
