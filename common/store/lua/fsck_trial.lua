-- fsck_trial: jobs on trial that no live worker will take.
--
-- A worker that has not reported yet may serve any queue.
--
-- KEYS 1 workers   2 trial list
-- ARGV 1 prefix of leases   2 prefix of identities   3 queue
-- Reply: jobs waiting there when no live worker serves the queue; else 0
local waiting = redis.pcall('LLEN', KEYS[2])
local workers = redis.pcall('SMEMBERS', KEYS[1])
if type(waiting) ~= 'number' or waiting == 0 or workers.err then
    return 0
end
for _, id in ipairs(workers) do
    if redis.call('EXISTS', ARGV[1] .. id) == 1 then
        local text = redis.pcall('HGET', ARGV[2] .. id, 'info')
        local ok, info = pcall(cjson.decode, text)
        if not ok or type(info) ~= 'table' or type(info.queues) ~= 'table' then
            return 0
        end
        for _, queue in ipairs(info.queues) do
            if queue == ARGV[3] then
                return 0
            end
        end
    end
end
return waiting
