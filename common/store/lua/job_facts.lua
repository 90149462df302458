-- job_facts: what else is known of a job, beside where it is.
--
-- KEYS 1 cancelled   2 paused   3 lease of its worker
-- ARGV 1 jid   2 its queue   3 prefix of delivery counters   4 its payload, '' when it is nowhere
-- Reply: {Redis' time: seconds, microseconds; time of an order to cancel it, or ''; its queue is
--         paused; its worker lives; {identities that died while they had it}}
local function ask(...) -- a key of another type tells nothing
    local reply = redis.pcall(...)
    if type(reply) == 'table' and reply.err then
        return nil
    end
    return reply
end

local t = redis.call('TIME')
local died = ARGV[4] ~= '' and ask('SMEMBERS', ARGV[3] .. redis.sha1hex(ARGV[4])) or {}
return {t[1], t[2], ask('ZSCORE', KEYS[1], ARGV[1]) or '', ask('SISMEMBER', KEYS[2], ARGV[2]) or 0,
        redis.call('EXISTS', KEYS[3]), died}
