-- find_running: what some processes have in hand that contains a text: the claims of our workers, and
-- the reports of Sidekiq's processes, which have nothing else.
--
-- Bounded: a call stops behind the process with which it has looked at so many.
--
-- ARGV 1 prefix of identities   2 prefix of registries   3 prefix of claim lists   4 the text
--      5 longest element   6 elements to look at   7… per process: identity; 1 when it is a worker of
--      ours
-- Reply: {processes done; elements looked at; then per element: its process (from 1); its bytes}
local out, looked, longest = {0, 0}, 0, tonumber(ARGV[5])

local function look(process, elements)
    for _, element in ipairs(elements) do
        if #element <= longest and string.find(element, ARGV[4], 1, true) then
            out[#out + 1] = process
            out[#out + 1] = element
        end
    end
    looked = looked + #elements
end

local function each(reply, visit) -- a key of another type has nothing
    if not reply.err then
        visit(reply)
    end
end

for i = 7, #ARGV, 2 do
    local id, process = ARGV[i], (i - 5) / 2
    if ARGV[i + 1] == '1' then
        each(redis.pcall('HKEYS', ARGV[2] .. id), function(seqs)
            for _, seq in ipairs(seqs) do
                each(redis.pcall('LRANGE', ARGV[3] .. id .. ':' .. seq, 0, -1), function(claim)
                    look(process, claim)
                end)
            end
        end)
    else
        each(redis.pcall('HVALS', ARGV[1] .. id .. ':work'), function(reports)
            look(process, reports)
        end)
    end
    out[1] = process
    if looked >= tonumber(ARGV[6]) then
        break
    end
end
out[2] = looked
return out
