# Enqueues by Sidekiq's own client: in every way it has, and values that are easily bent on the way.
#
# Of each job it prints the members that it must have when it runs, each byte of them, its jid first:
# a line, with tabs between them (JSON has none). REDIS_URL names the server.
require "sidekiq"

SOON = 0.3 # seconds until what is scheduled is due

# What Sidekiq is about to write is what must arrive.
class Tell
  def call(_class, job, _queue, _pool)
    told = {"jid" => job["jid"]}.merge(job.reject { |key, _| %w[at enqueued_at].include? key })
    puts told.map { |key, value| JSON.generate(key => value)[1..-2] }.join("\t")
    yield
  end
end

Sidekiq.configure_client do |config|
  config.client_middleware { |chain| chain.add Tell }
  config.logger.level = Logger::ERROR
end

class Plain
  include Sidekiq::Worker
end

module Shop
  class Mail
    include Sidekiq::Worker
    sidekiq_options queue: "Mail.out-1_B", retry: 3, backtrace: 5, tags: ["a b", "<i>é</i>"]
  end
end

# As deep as Ruby writes it, 100 levels: two are the job's and its args'.
DEEP = (1..97).reduce([]) { |inner, _| [inner] }

VALUES = [
  [],
  [nil, true, false, 0, -1],
  [2**53 + 1, 2**64, -(2**63), 10**40],
  [1.0, -0.0, 0.1, 1e20, 1e300, 1.7976931348623157e308, 5e-324],
  ["", " ", "\u0000", "\n\t\r\b\f\e\u007f", "\"\\/", "</script>&amp;", "%s%n"],
  ["é", "e\u0301", "日本語", "😀", "\u2028\u2029", "\ufeff", "\ufffd"],
  [{}, [], [[]], {"" => [{}]}, {"z" => 1, "a" => {"a" => nil}}],
  # Members of a job's own, where they are not.
  [{"jid" => "1", "class" => 2, "args" => 3, "queue" => [], "retry_count" => 7, "at" => 1}],
  ["\"jid\":\"x\",\"args\":[]}"],
  ["x" * 100_000, "é" * 1_000],
  [DEEP],
  (1..1_000).to_a
].freeze

VALUES.each { |args| Plain.perform_async(*args) }
VALUES.each { |args| Plain.perform_in(SOON, *args) }

# Three pushes: 1,000, 1,000 and 500.
Plain.perform_bulk((1..2_500).map { |n| [n, "bulk"] })
Shop::Mail.set("retry" => false).perform_bulk([["a"], ["b"], []], batch_size: 2)

now = Time.now.to_f
Sidekiq::Client.push_bulk("class" => Plain, "args" => [[1], [2], [3]], "at" => now + SOON)
Sidekiq::Client.push_bulk("class" => "Shop::Mail", "queue" => "default", "args" => VALUES,
  "at" => VALUES.each_index.map { |i| i.even? ? now + i * SOON / 10 : i }) # odd ones since 1970

Plain.perform_at(Time.now - 3600, "an hour ago")
Plain.set(wait: SOON).perform_async("set(wait:)")
Shop::Mail.set(wait_until: now + SOON).perform_async("set(wait_until:)")
Sidekiq::Client.enqueue_to("low", Plain, "enqueue_to")
Sidekiq::Client.enqueue_to_in("low", SOON, Plain, "enqueue_to_in")

# What plugins and frameworks add.
Sidekiq::Client.push(
  "class" => "Sidekiq::ActiveJob::Wrapper", "wrapped" => "Shop::Mail", "display_class" => "Mail",
  "args" => [{"job_class" => "Shop::Mail", "arguments" => [{"_aj_globalid" => "gid://shop/User/1"}]}],
  "cattr" => {"user" => {"id" => 12_345_678_901_234_567_890}}, "bid" => "b-x", "dead" => false,
  "retry_queue" => "low", "unique_for" => 10.0, "locale" => nil
)
Sidekiq::Client.push("class" => "Plain", "args" => ["a jid of its own"], "jid" => "order/17 é")
Sidekiq::Client.push("class" => "Plain", "args" => ["created by a clock in ms"],
  "created_at" => 1_795_478_712_500)
