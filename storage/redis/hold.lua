-- Hold an account for a while; a longer hold that is already there stays.
-- KEYS: hold.  ARGV: milliseconds.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local till = now + tonumber(ARGV[1]) * 1000
if till > tonumber(redis.call('GET', KEYS[1]) or '0') then
  redis.call('SET', KEYS[1], string.format('%.0f', till), 'PX', math.max(1, math.floor(tonumber(ARGV[1]))))
end
return 1
