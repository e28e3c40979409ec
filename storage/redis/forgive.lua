-- A try succeeded: it is taken back from a counter that other people share.
-- KEYS: the counter; ARGV: free tries.
if redis.call('EXISTS', KEYS[1]) == 1 then
  local n = redis.call('HINCRBY', KEYS[1], 'n', -1)
  if n < tonumber(ARGV[1]) then redis.call('HDEL', KEYS[1], 'until') end
  if n <= 0 then redis.call('DEL', KEYS[1]) end
end
return 0
