-- Give up the claim to renew a token, unless it is somebody else's by now.
--
-- KEYS  1 claim
-- ARGV  1 our claim

if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
