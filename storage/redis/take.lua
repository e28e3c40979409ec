-- Use one customer-service message of the citizen's open allowances, the shorter-lived first.
--
-- KEYS  1 window   hash <name>_until (ms), <name>_left
-- ARGV  1 now in ms   2… names in the order to try
-- Returns 1 if one was left, else 0.

for position = 2, #ARGV do
  local name = ARGV[position]
  local open = redis.call('HMGET', KEYS[1], name .. '_until', name .. '_left')
  if open[1] and tonumber(open[1]) > tonumber(ARGV[1]) and tonumber(open[2]) > 0 then
    redis.call('HINCRBY', KEYS[1], name .. '_left', -1)
    return 1
  end
end
return 0
