-- Use one customer-service message of the citizen's open allowances, the shorter-lived first.
--
-- KEYS  1 window   hash <name>_until (ms), <name>_left
-- ARGV  1 now in ms   2… names in the order to try
-- Returns {position of the name, its end in ms} if one was left, else false.

for position = 2, #ARGV do
  local name = ARGV[position]
  local open = redis.call('HMGET', KEYS[1], name .. '_until', name .. '_left')
  if open[1] and tonumber(open[1]) > tonumber(ARGV[1]) and tonumber(open[2]) > 0 then
    redis.call('HINCRBY', KEYS[1], name .. '_left', -1)
    return {position - 1, open[1]}
  end
end
return false
