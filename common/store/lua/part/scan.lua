-- A part: visits some members of a sorted set, about `count` of them from a cursor on ('0' at first).
-- Returns the cursor to go on from, '' at the end.
local function scan(key, cursor, count, visit)
    local page = redis.call('ZSCAN', key, cursor, 'COUNT', count)
    for i = 1, #page[2], 2 do
        visit(page[2][i], page[2][i + 1])
    end
    return page[1] ~= '0' and page[1] or ''
end
