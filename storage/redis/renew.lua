-- Say "I am alive", and learn whether it is my turn.
--
-- KEYS  1 seen   2 queue   3 leases   4 session        (as in begin.lua)
-- ARGV  1 owner   2 lease in ms   3 '1' when an answer was stored already, '0' before
--       4 '1' when in the queue, '0' for events that nobody waits for
--       5 '1' when waiting for its turn: a ticket that was dropped because its owner stalled
--         queues up again; '0' when at work: then it must not, it may just have been released
-- Returns {'lost'} when the message is another owner's or was settled, else {'held', messages
-- before mine, session or false}.

local owner, lease = ARGV[1], tonumber(ARGV[2])
local queued = ARGV[4] == '1'
local waiting = redis.call('HEXISTS', KEYS[3], owner) == 1

if ARGV[3] == '0' then
  local seen = redis.call('GET', KEYS[1])
  if (seen and seen ~= 'R' .. owner) or (not seen and queued and not waiting) then
    redis.call('LREM', KEYS[2], 1, owner)
    redis.call('HDEL', KEYS[3], owner)
    return {'lost'}
  end
  redis.call('SET', KEYS[1], 'R' .. owner, 'PX', lease)
end
if not queued or (not waiting and ARGV[5] == '0') then
  return {'held', 0, false}
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if not waiting then
  redis.call('RPUSH', KEYS[2], owner)
end
redis.call('HSET', KEYS[3], owner, now + lease)
redis.call('PEXPIRE', KEYS[2], 120000)
redis.call('PEXPIRE', KEYS[3], 120000)

local head = redis.call('LINDEX', KEYS[2], 0)
while head ~= owner do
  local alive = redis.call('HGET', KEYS[3], head)
  if alive and tonumber(alive) > now then
    return {'held', redis.call('LPOS', KEYS[2], owner), false}
  end
  redis.call('LPOP', KEYS[2])
  redis.call('HDEL', KEYS[3], head)
  head = redis.call('LINDEX', KEYS[2], 0)
end
return {'held', 0, redis.call('GET', KEYS[4])}
