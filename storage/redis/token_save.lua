-- Store a token for all processes, if the claim to renew it still stands.
--
-- KEYS  1 token   2 claim
-- ARGV  1 our claim   2 sealed token   3 its life in ms
-- Returns 1, or 0 when the lease ran out and somebody else renews: then nothing is stored.

if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
