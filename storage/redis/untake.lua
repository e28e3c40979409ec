-- Give one message of an allowance back, unless a newer action has opened it anew.
--
-- KEYS  1 window   hash <name>_until (ms), <name>_left
-- ARGV  1 name   2 the end (ms) of the allowance it was taken from
-- Returns 1 if it was given back, else 0.

local until_now = redis.call('HGET', KEYS[1], ARGV[1] .. '_until')
if until_now == ARGV[2] then
  redis.call('HINCRBY', KEYS[1], ARGV[1] .. '_left', 1)
  return 1
end
return 0
