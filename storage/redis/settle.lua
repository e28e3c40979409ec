-- Store the answer of a message; and, at the end, save the session and let the next one go.
--
-- KEYS  1 seen   2 queue   3 leases   4 session        (as in begin.lua)
-- ARGV  1 owner   2 'A'<sealed answer>, or '' to leave what is stored, or 'X' to give the
--       message up so that its next delivery starts afresh
--       3 how long the answer is kept (ms)   4 '1' to release, '0' to go on working
--       5 session: 'keep', 'drop' or 'save'   6 sealed session   7 its life in ms
-- Returns {'settled'}, or {'lost', blob or false} when another owner took the message over;
-- then nothing of ours is stored.

local owner = ARGV[1]
local outcome = {'settled'}
if ARGV[2] ~= '' then
  local seen = redis.call('GET', KEYS[1])
  if seen and seen ~= 'R' .. owner then
    outcome = {'lost', string.sub(seen, 1, 1) == 'A' and string.sub(seen, 2)}
  elseif ARGV[2] == 'X' then
    redis.call('DEL', KEYS[1])
  else
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  end
end

if ARGV[4] == '1' then
  if redis.call('LINDEX', KEYS[2], 0) == owner then
    if outcome[1] == 'settled' then
      if ARGV[5] == 'save' then
        redis.call('SET', KEYS[4], ARGV[6], 'PX', ARGV[7])
      elseif ARGV[5] == 'drop' then
        redis.call('DEL', KEYS[4])
      end
    end
    redis.call('LPOP', KEYS[2])
  else
    redis.call('LREM', KEYS[2], 1, owner)
  end
  redis.call('HDEL', KEYS[3], owner)
end
return outcome
