# Enqueueing by Sidekiq's own client, for bench-client: how long so many jobs take.
#
# Usage: sidekiq_push.rb JOBS AT_ONCE     prints seconds; Redis' address is in REDIS_URL

require "sidekiq"

jobs, at_once = ARGV.map { |text| Integer(text) }
Redis.silence_deprecations = true if Redis.respond_to?(:silence_deprecations=)

ARGS = ["/var/lib/uploads/2026/01/31/0123456789abcdef.png", 1280, 720,
        {"quality" => 0.8, "strip" => true}].freeze
many = Array.new(at_once) { ARGS }

Sidekiq.redis { |redis| redis.ping }
began = Process.clock_gettime(Process::CLOCK_MONOTONIC)
(jobs / at_once).times do
  if at_once == 1
    Sidekiq::Client.push("class" => "noop", "args" => ARGS)
  else
    Sidekiq::Client.push_bulk("class" => "noop", "args" => many)
  end
end
puts Process.clock_gettime(Process::CLOCK_MONOTONIC) - began
