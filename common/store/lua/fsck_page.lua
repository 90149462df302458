-- fsck_page: some elements of a list or a sorted set, of the too large ones only their length.
--
-- KEYS 1 the list or set
-- ARGV 1 where to go on: index of a list, cursor of a set; 0 at first
--      2 elements, of a set about so many   3 length of an element that is still sent
-- Reply: {where to go on, '' at the end; list or zset or something else; then per element: its bytes or its length; its score}
-- include: part/scan.lua
local kind, cap = redis.call('TYPE', KEYS[1]).ok, tonumber(ARGV[3])
local out = {'', kind}
local function add(element, score)
    out[#out + 1] = #element > cap and #element or element
    out[#out + 1] = score
end
if kind == 'list' then
    local page = redis.call('LRANGE', KEYS[1], ARGV[1], ARGV[1] + ARGV[2] - 1)
    for _, element in ipairs(page) do
        add(element, '')
    end
    if #page == tonumber(ARGV[2]) then
        out[1] = string.format('%d', ARGV[1] + ARGV[2])
    end
elseif kind == 'zset' then
    out[1] = scan(KEYS[1], ARGV[1], ARGV[2], add)
end
return out
