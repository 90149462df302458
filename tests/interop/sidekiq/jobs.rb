# What Sidekiq's own worker runs beside ours: jobs of the class Job with the args of our test plugin
# (log, sleep_ms, outcome "fail" with until), which leave the same lines.
#
# Whatever its poller moves to a queue it notes in the file `moved`: jid and queue.
require "sidekiq"

Redis.silence_deprecations = true if Redis.respond_to?(:silence_deprecations=) # of Sidekiq's own calls

def append(path, line)
  File.open(path, "a") { |file| file.syswrite("#{line}\n") } # one write: lines of many do not mix
end

# Around each run: "JID ATTEMPT PID start", and "… end" when it comes to its own end, well or not.
class Note
  def call(_job, item, _queue)
    failures = item["retry_count"]
    attempt = failures ? failures + 2 : 1
    here = "#{item["jid"]} #{attempt} #{Process.pid}"
    log = item["args"][0]["log"]
    append(log, "#{here} start")
    begin
      Thread.current[:attempt] = attempt
      yield
    rescue Sidekiq::Shutdown
      raise # given back
    rescue
      append(log, "#{here} end")
      raise
    end
    append(log, "#{here} end")
  end
end

# Nothing but the poller enqueues here.
class NoteMove
  def call(_class, item, queue, _pool)
    append("moved", "#{item["jid"]} #{queue}")
    yield
  end
end

class Job
  include Sidekiq::Worker

  def perform(args)
    sleep(args.fetch("sleep_ms", 0) / 1000.0)
    raise "as the test wished" if args["outcome"] == "fail" && Thread.current[:attempt] <= args["until"]
  end
end

Sidekiq.configure_server do |config|
  # As often as ours looks, so that both get their share.
  (config.respond_to?(:options) ? config.options : config)[:poll_interval_average] = 0.1
  config.client_middleware { |chain| chain.add NoteMove }
  config.server_middleware { |chain| chain.add Note }
  config.logger.level = Logger::FATAL # jobs that fail are what the test wishes
  config.on(:startup) { $stderr.puts "started" }
end
