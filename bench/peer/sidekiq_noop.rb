# A no-op job by Sidekiq, for bench-peers: `sidekiq -r FILE` is its worker.
#
# Usage: ruby sidekiq_noop.rb fill JOBS     Redis' socket is in BENCH_SOCKET
#
# With BENCH_FAST in the environment Sidekiq logs nothing of each job, and its replies are read by
# the hiredis driver where that is installed; otherwise it is as it comes.

require "sidekiq"

AT_ONCE = 1000
fast = !ENV["BENCH_FAST"].nil?
connection = {url: "unix://#{ENV.fetch("BENCH_SOCKET")}"}
if Sidekiq::VERSION < "7" # later ones have another client
  Redis.silence_deprecations = true if Redis.respond_to?(:silence_deprecations=)
  begin
    require "hiredis" if fast
    connection[:driver] = :hiredis if fast
  rescue LoadError
    # without
  end
end

Sidekiq.configure_client { |config| config.redis = connection }
Sidekiq.configure_server { |config| config.redis = connection }
Sidekiq.logger.level = Logger::WARN if fast

class Noop
  include Sidekiq::Worker

  def perform(*)
  end
end

if ARGV[0] == "fill"
  Integer(ARGV[1]).times.each_slice(AT_ONCE) do |numbers|
    many = numbers.map { |i| [i, "a text of some length", {"k" => []}] }
    Sidekiq::Client.push_bulk("class" => Noop, "args" => many)
  end
end
