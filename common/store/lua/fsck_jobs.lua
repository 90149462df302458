-- fsck_jobs: tracked jobs that are said to run on a worker that is gone.
--
-- KEYS 1 workers
-- ARGV 1 prefix of job hashes   2 prefix of leases   3… jids
-- Reply per jid: 1 that is so; else 0
local out = {}
for i = 3, #ARGV do
    local job = redis.pcall('HMGET', ARGV[1] .. ARGV[i], 'state', 'worker')
    local worker = not job.err and job[1] == 'running' and job[2]
    out[#out + 1] = worker and redis.call('EXISTS', ARGV[2] .. worker) == 0 and
        redis.pcall('SISMEMBER', KEYS[1], worker) == 0 and 1 or 0
end
return out
