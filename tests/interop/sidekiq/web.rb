# Sidekiq's Web UI on a free port of this machine, which it prints. REDIS_URL names the server.
require "securerandom"
require "sidekiq/web"
require "rack/session/cookie"
begin
  require "rackup/handler/webrick" # Rack 3
  HANDLER = Rackup::Handler::WEBrick
rescue LoadError
  require "rack/handler/webrick"
  HANDLER = Rack::Handler::WEBrick
end

app = Rack::Builder.new do
  use Rack::Session::Cookie, secret: SecureRandom.hex(64), same_site: true
  run Sidekiq::Web
end

quiet = {Logger: WEBrick::Log.new($stderr, WEBrick::Log::WARN), AccessLog: []}
HANDLER.run(app, Host: "127.0.0.1", Port: 0, **quiet) do |server|
  $stdout.puts server.config[:Port]
  $stdout.flush
end
