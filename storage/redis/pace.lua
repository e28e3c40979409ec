-- An account's pace and its day (发送节奏). One script, so that no two processes ever disagree.
--
-- Virtual scheduling: the bucket is one instant, the end of what has been given out; idle time
-- earns no credit. Redis's own clock decides: a process knows only how long it has to wait.
--
-- KEYS  1 bucket   hash: run, free (µs) · pace (sends/s), pace_from (µs) · limit (sends/s),
--                  limit_till (µs) · day (YYYYMMDD), used, granted, quota ('' = not known),
--                  asked: when somebody went to have the next block granted (µs)
--       2 hold     until when nothing may be sent (µs)
-- ARGV  1 verb     2 ceiling (sends/s)   3 share of the rate that is given out
--       4 seconds in which a cut pace recovers from nothing to the ceiling   5 day, 0 = uncounted
--       6 the longest that any rank may reserve ahead (µs)   7… by verb:
--
-- take   7 n   8 how far ahead this rank may reserve (µs)   9 not before (µs from now)
--        10 seconds in one group   11 '1' to count it for the day   12 share of the day's quota
--        → {1, wait µs, n} yours after that wait     {0, wait µs} ask again then
--          {-1, wait µs} the account is held         {-2, day} its next block must be granted
--          {-3} this rank has used up its share of the day
-- grant  7 granted before   8 granted now   9 quota or ''   10, 11 as below
-- learn  7 used, as the platform counts   8 quota or ''
--        10 its limit (sends/s), 0 = none   11 how long that limit holds (ms)
-- slow   7 factor   8 hold (ms)   9 key of the counter   10 how many make a storm
--        11 within (ms)   12 no second cut within (µs)
--        13 the least share of what was sent meanwhile      → 1 when the pace was cut
-- look   → {rate, ceiling, hold left µs, used, granted, quota, day}

local bucket, verb = KEYS[1], ARGV[1]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local day, longest = tonumber(ARGV[5]), tonumber(ARGV[6])
local names = {'run', 'free', 'pace', 'pace_from', 'limit', 'limit_till', 'day', 'used', 'granted',
  'quota', 'asked'}
local kept = {}
for number, value in ipairs(redis.call('HMGET', bucket, unpack(names))) do
  kept[names[number]] = value
end

local function whole(number)
  return string.format('%.0f', number)
end

local function put(...)
  redis.call('HSET', bucket, ...)
  redis.call('PEXPIRE', bucket, 172800000) -- two days: idle so long, it begins anew
end

-- a Redis that was restarted, emptied or replaced, or whose clock was put back, may have
-- forgotten what it gave out last: begin behind the furthest that can be under way, and trust
-- nothing of the day's block
local free = tonumber(kept.free or '0')
if kept.run ~= run or free > now + 60000000 then
  free = now + longest
  kept.granted, kept.used = false, false
  put('run', run, 'free', whole(free))
  redis.call('HDEL', bucket, 'granted', 'used')
end
if day > tonumber(kept.day or '0') then -- never back: a slow clock does not reopen yesterday
  kept.day, kept.granted, kept.used = whole(day), false, false
  put('day', kept.day)
  redis.call('HDEL', bucket, 'granted', 'used')
end

local ceiling = tonumber(ARGV[2])
if kept.limit and tonumber(kept.limit_till) > now then
  ceiling = math.min(ceiling, tonumber(kept.limit))
end
local rate = ceiling
if kept.pace then
  local recovered = math.max(0, now - tonumber(kept.pace_from)) / 1e6 * ceiling / tonumber(ARGV[4])
  rate = math.min(ceiling, tonumber(kept.pace) + recovered)
end
rate = math.max(rate, 0.1)
local held_till = tonumber(redis.call('GET', KEYS[2]) or '0')

local function next_block() -- one process goes, the others wait for it a second at most
  if kept.asked and math.abs(now - tonumber(kept.asked)) < 1000000 then
    return {0, 3000}
  end
  put('asked', whole(now))
  return {-2, tonumber(kept.day)}
end

local function hold(milliseconds)
  local till = now + milliseconds * 1000
  if till > held_till then -- a longer hold that is already there stays
    redis.call('SET', KEYS[2], whole(till), 'PX', math.max(1, math.floor(milliseconds)))
  end
end

if verb == 'take' then
  if held_till > now then
    return {-1, held_till - now}
  end
  local number = math.max(1, math.min(tonumber(ARGV[7]), math.floor(rate * tonumber(ARGV[10]))))
  local counts = day > 0 and ARGV[11] == '1'
  if counts then
    if not kept.granted then
      return next_block()
    end
    local left = tonumber(kept.granted) - tonumber(kept.used)
    if kept.quota and kept.quota ~= '' then
      local share = math.floor(tonumber(kept.quota) * tonumber(ARGV[12])) - tonumber(kept.used)
      if share <= 0 then
        return {-3}
      end
      number = math.min(number, share)
    end
    if left <= 0 then
      return next_block()
    end
    number = math.min(number, left)
  end
  local slot = math.max(free, now + tonumber(ARGV[9]))
  if ARGV[9] == '0' and slot - now > tonumber(ARGV[8]) then
    return {0, slot - now - tonumber(ARGV[8])}
  end
  put('free', whole(slot + math.ceil(number * 1e6 / (rate * tonumber(ARGV[3])))))
  if counts then
    redis.call('HINCRBY', bucket, 'used', number)
  end
  return {1, slot - now, number}
end

if verb == 'grant' or verb == 'learn' then
  if tonumber(ARGV[10]) > 0 then
    put('limit', ARGV[10], 'limit_till', whole(now + tonumber(ARGV[11]) * 1000))
  elseif verb == 'learn' then
    redis.call('HDEL', bucket, 'limit', 'limit_till')
  end
  if tonumber(kept.day or '0') ~= day then
    return 0 -- of a day that is over
  end
end

if verb == 'grant' then
  put('quota', ARGV[9])
  redis.call('HDEL', bucket, 'asked')
  if not kept.granted then
    put('used', ARGV[7], 'granted', ARGV[8])
  elseif tonumber(ARGV[8]) > tonumber(kept.granted) then
    put('granted', ARGV[8])
  end
  return 1
end

if verb == 'learn' then
  put('quota', ARGV[8])
  local used = tonumber(ARGV[7])
  if kept.granted and used > tonumber(kept.used) then -- somebody else sends too
    put('used', ARGV[7], 'granted', whole(math.max(used, tonumber(kept.granted))))
  end
  return 1
end

if verb == 'slow' then
  if tonumber(ARGV[8]) > 0 then
    hold(tonumber(ARGV[8]))
  end
  if tonumber(ARGV[7]) >= 1 then
    return 0 -- a hold and nothing else
  end
  if tonumber(ARGV[10]) > 1 then -- as many, and that share of what was sent meanwhile
    local number = redis.call('HINCRBY', ARGV[9], 'number', 1)
    local used = tonumber(kept.used or '0')
    if number == 1 then
      redis.call('HSET', ARGV[9], 'used', used)
      redis.call('PEXPIRE', ARGV[9], ARGV[11])
    end
    local sent = used - tonumber(redis.call('HGET', ARGV[9], 'used'))
    if number < math.max(tonumber(ARGV[10]), sent * tonumber(ARGV[13])) then
      return 0
    end
    redis.call('DEL', ARGV[9])
  end
  if kept.pace_from and tonumber(kept.pace_from) + tonumber(ARGV[12]) > now then
    return 0 -- what was under way when the pace was cut says nothing new
  end
  local from = math.max(now + tonumber(ARGV[8]) * 1000, held_till)
  put('pace', math.max(1, rate * tonumber(ARGV[7])), 'pace_from', whole(from))
  return 1
end

return {tostring(rate), tostring(ceiling), math.max(0, held_till - now), tonumber(kept.used or '-1'),
  tonumber(kept.granted or '-1'), tonumber(kept.quota or '') or -1, tonumber(kept.day or '0')}
