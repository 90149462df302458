-- running: what some processes run by their own reports. Reads only.
--
-- A report is <identity>:work, and <identity>:workers of Sidekiq up to 6.4.1.
--
-- A worker of ours whose lease is gone is dead, whatever its last report says.
--
-- Bounded: a call looks at so many jobs and stops before the process that has more; of one that has
-- more by itself it sees a part.
--
-- ARGV 1 prefix of identities   2 prefix of leases   3 jobs to look at, 0: they are only counted
--      4 wanted are those that started before this time; '': all   5 longest report that is sent
--      6… per process: identity; 1 when it needs a lease
-- Reply: {processes done; jobs that run there; jobs looked at; then per job: its process (from 1);
--        its start or ''; its report, or '' when that is too long}
local asked, before, cap = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local done, total, looked, out = 0, 0, 0, {0, 0, 0}

-- A report ends with its start, Sidekiq's as ours, and what stands before may be long. In the payload
-- a quote has a backslash before it, so this is not found there.
local function look(process, work)
    local page = redis.call('HSCAN', work, 0, 'COUNT', asked - looked)[2]
    for i = 2, #page, 2 do
        local report = page[i]
        local start = string.match(report, '"run_at":%s*(%d+%.?%d*)', -64)
        if not before or start and tonumber(start) < before then
            out[#out + 1] = process
            out[#out + 1] = start or ''
            out[#out + 1] = #report <= cap and report or ''
        end
    end
    looked = looked + #page / 2
end

for i = 6, #ARGV, 2 do
    local work = ARGV[1] .. ARGV[i] .. ':work'
    local lives = redis.call('EXISTS', ARGV[1] .. ARGV[i]) == 1 and
        (ARGV[i + 1] ~= '1' or redis.call('EXISTS', ARGV[2] .. ARGV[i]) == 1)
    local n = lives and redis.pcall('HLEN', work)
    if n == 0 then
        work = work .. 'ers'
        n = redis.pcall('HLEN', work)
    end
    if type(n) == 'number' and n > 0 then
        if looked > 0 and n > asked - looked then
            break
        end
        total = total + n
        if asked > 0 then
            look((i - 4) / 2, work)
        end
    end
    done = done + 1
end
out[1], out[2], out[3] = done, total, looked
return out
