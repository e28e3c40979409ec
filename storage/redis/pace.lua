-- Take n sends of an account's pace. Virtual scheduling: the bucket is one instant, the end of
-- what has been given out; idle time earns no credit.
-- KEYS: bucket, hold.  ARGV: sends per second, n, how far ahead one may reserve (µs).
-- Answers {1, wait µs}: yours after that wait; {0, wait µs}: ask again then;
-- {-1, wait µs}: the account is held.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local hold = tonumber(redis.call('GET', KEYS[2]) or '0')
if hold > now then
  return {-1, hold - now}
end
local free_at = tonumber(redis.call('GET', KEYS[1]) or '0')
if free_at < now then
  free_at = now
end
local wait = free_at - now
local ahead = tonumber(ARGV[3])
if wait > ahead then
  return {0, wait - ahead}
end
local taken = math.ceil(tonumber(ARGV[2]) * 1000000 / tonumber(ARGV[1]))
redis.call('SET', KEYS[1], string.format('%.0f', free_at + taken), 'PX', 60000)
return {1, wait}
