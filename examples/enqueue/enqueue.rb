#!/usr/bin/env ruby
# Enqueue from Ruby with Sidekiq's own client (Debian: ruby-sidekiq). It takes Redis' address from
# REDIS_URL. Nothing here is of Sluice: a class of yours that includes Sidekiq::Worker does as well.
#
# Usage: enqueue.rb [SECONDS]    the second job is due in so many seconds (default: 60)

require "sidekiq"

delay = Float(ARGV.fetch(0, 60))

puts "single #{Sidekiq::Client.push("class" => "checksum", "args" => ["/etc/hosts"], "retry" => 5)}"

jid = Sidekiq::Client.push(
  "class" => "noop",
  "args" => [12345678901234567890, 1.10, "é", [], {}],
  "at" => Time.now.to_f + delay
)
puts "delayed #{jid}"

paths = ["/etc/hosts", "/etc/services", "/etc/passwd"]
jids = Sidekiq::Client.push_bulk(
  "class" => "checksum",
  "queue" => "low",
  "args" => paths.map { |path| [path] }
)
puts "bulk #{jids.join(" ")}"
