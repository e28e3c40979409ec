-- Claim a message, record the citizen's action, and queue up behind their earlier messages.
--
-- KEYS  1 seen    the message: 'R'<owner> while somebody works on it, 'A'<sealed answer> after
--       2 queue   list of the citizen's tickets, oldest first
--       3 leases  hash ticket -> until when (ms) its owner is believed alive
--       4 session the citizen's sealed session
--       5 window  hash of the customer-service allowances
-- ARGV  1 owner   2 lease in ms   3 '1' to queue up, '0' for events that nobody waits for
--       4 window name or ''   5 open until (ms)   6 messages allowed   7 window's life in ms
-- Returns {'answered', blob} | {'running'} | {'claimed', messages before mine, session or false}

local owner, lease = ARGV[1], tonumber(ARGV[2])
local seen = redis.call('GET', KEYS[1])
if seen and seen ~= 'R' .. owner then -- our own mark: the connection broke, and asked again
  if string.sub(seen, 1, 1) == 'A' then
    return {'answered', string.sub(seen, 2)}
  end
  return {'running'}
end

redis.call('SET', KEYS[1], 'R' .. owner, 'PX', lease)

if ARGV[4] ~= '' then
  redis.call('HSET', KEYS[5], ARGV[4] .. '_until', ARGV[5], ARGV[4] .. '_left', ARGV[6])
  if redis.call('PTTL', KEYS[5]) < tonumber(ARGV[7]) then
    redis.call('PEXPIRE', KEYS[5], ARGV[7])
  end
end

if ARGV[3] == '0' then
  return {'claimed', 0, false}
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if seen then
  redis.call('LREM', KEYS[2], 1, owner)
end
local before = redis.call('RPUSH', KEYS[2], owner) - 1
redis.call('HSET', KEYS[3], owner, now + lease)
redis.call('PEXPIRE', KEYS[2], 120000)
redis.call('PEXPIRE', KEYS[3], 120000)

while before > 0 do
  local head = redis.call('LINDEX', KEYS[2], 0)
  local alive = redis.call('HGET', KEYS[3], head)
  if alive and tonumber(alive) > now then
    return {'claimed', before, false}
  end
  redis.call('LPOP', KEYS[2])
  redis.call('HDEL', KEYS[3], head)
  before = before - 1
end
return {'claimed', 0, redis.call('GET', KEYS[4])}
