-- One try to sign in, counted before it is looked at, so that many at once count as many.
-- KEYS: its counters, hashes of n (tries that did not succeed) and until (ms: no try before).
-- ARGV: now (ms), then for each key: free tries, first delay (ms), longest delay (ms), life (ms).
-- Returns 0, or the milliseconds to wait; a refused try is not counted and lengthens nothing.
local now, wait = tonumber(ARGV[1]), 0
for _, key in ipairs(KEYS) do
  local left = tonumber(redis.call('HGET', key, 'until') or '0') - now
  if left > wait then wait = left end
end
if wait > 0 then return wait end
for number, key in ipairs(KEYS) do
  local at = 2 + (number - 1) * 4
  local over = redis.call('HINCRBY', key, 'n', 1) - tonumber(ARGV[at])
  if over >= 0 then
    local delay = math.min(tonumber(ARGV[at + 1]) * 2 ^ math.min(over, 30), tonumber(ARGV[at + 2]))
    redis.call('HSET', key, 'until', string.format('%.0f', now + delay))
  end
  redis.call('PEXPIRE', key, ARGV[at + 3])
end
return 0
