-- next: when the first entry of a sorted set of jobs is due, without a look at the entry: it may be
-- of any size, and a script (like a client) that is shown one gets copies of it. So its score is
-- found by counting, to less than a thousandth of the horizon. Nobody sleeps longer than that anyway.
--
-- Seconds from now: 0 when it is due already or the key is no sorted set (whoever looks closer is
-- told), -1 when nothing is due before the horizon. An idle worker asks that for ever: it costs one
-- command.
local function next_due(set, now, horizon)
    local function any_until(score)
        local n = redis.pcall('ZCOUNT', set, '-inf', string.format('%.6f', score))
        return type(n) == 'table' or n > 0
    end
    if not any_until(now + horizon) then
        return -1
    elseif any_until(now) then
        return 0
    end
    local before, after = 0, horizon
    for _ = 1, 12 do
        local middle = (before + after) / 2
        if any_until(now + middle) then
            after = middle
        else
            before = middle
        end
    end
    return after
end
