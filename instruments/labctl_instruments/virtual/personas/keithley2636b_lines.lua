-- What a Keithley 2600B has beside its channels: digital lines, TSP-Link, a clock, a panel.
-- It follows keithley2636b_trigger.lua in one chunk, and uses its locals.
-- Nothing is wired to the digital lines and no other node to the link: a line reads as it is written
-- (pulled up, so 1 at first), an edge from outside never comes, and this node is the only one.
local MODES = {TRIG_BYPASS = 0, TRIG_FALLING = 1, TRIG_RISING = 2, TRIG_EITHER = 3,
  TRIG_SYNCHRONOUSA = 4, TRIG_SYNCHRONOUS = 5, TRIG_SYNCHRONOUSM = 6, TRIG_RISINGA = 7,
  TRIG_RISINGM = 8}

local function port(count, event, members)
  local highest, bits, guarded = 2 ^ count - 1, {}, {writeprotect = 0}
  local function whole(value, most, what)
    if type(value) ~= "number" or value < 0 or value > most or value ~= floor(value) then
      error("-222, Parameter data out of range;" .. what .. " = " .. tostring(value), 0)
    end
    return value
  end
  local function is_free(n) return floor(guarded.writeprotect / 2 ^ (n - 1)) % 2 == 0 end
  local function write(n, value) if is_free(n) then bits[n] = value end end
  local function release() for n = 1, count do bits[n] = 1 end end
  local function line(n)
    if whole(n, count, "line") == 0 then error("-222, Parameter data out of range;line = 0", 0) end
    return n
  end
  release()
  resets[#resets + 1] = function()
    release()
    guarded.writeprotect = 0
  end
  local made = {
    readbit = function(n) return bits[line(n)] end,
    readport = function()
      local value = 0
      for n = 1, count do value = value + bits[n] * 2 ^ (n - 1) end
      return value
    end,
    writebit = function(n, value) write(line(n), whole(value, 1, "bit")) end,
    writeport = function(value)
      whole(value, highest, "port")
      for n = 1, count do write(n, floor(value / 2 ^ (n - 1)) % 2) end
    end,
    trigger = {},
  }
  for name, value in next, MODES do made[name] = value end
  for name, value in next, members do made[name] = value end
  for n = 1, count do
    local trigger, values = latching({}, {
      mode = 0, pulsewidth = 10e-6, stimulus = 0, overrun = false,
    }, event + n)
    local function restore() values.mode, values.pulsewidth, values.stimulus = 0, 10e-6, 0 end
    rawset(trigger, "assert", function() end)
    rawset(trigger, "release", function() end)
    rawset(trigger, "reset", restore)
    made.trigger[n] = trigger
  end
  return object(made, {
    writeprotect = function() return guarded.writeprotect end,
  }, {
    writeprotect = function(value) guarded.writeprotect = whole(value, highest, "writeprotect") end,
  })
end

digio = port(14, 70, {})

tsplink = port(3, 90, {
  reset = function(expected)
    if (tonumber(expected) or 1) > 1 then
      error("1205, TSP-Link initialization failed (no remote nodes found)", 0)
    end
    return 1
  end,
  trigger = {},
})
rawset(tsplink, "state", "offline")
rawset(tsplink, "master", 1)
rawset(tsplink, "node", 1)
rawset(tsplink, "group", 0)

gpib = stored({}, {address = 26})

-- A clock that can be set.
local set_at = 0
rawset(localnode, "settime", function(time) set_at = (tonumber(time) or 0) - now() end)
rawset(localnode, "gettime", function() return floor(now() + set_at) end)

-- Nobody stands before the panel: who is asked something there leaves with EXIT.
for name, answer in next, {getcursor = {1, 1, 0}, getannunciators = {0}, getlastkey = {0},
  inputvalue = {}, prompt = {}, menu = {}, waitkey = {75}} do
  rawset(display, name, function() return unpack(answer) end)
end
rawset(display, "trigger", {clear = function() end, wait = function(timeout)
  delay(max(0, tonumber(timeout) or 0))
  return false
end})
rawset(display, "loadmenu", {add = function() end, delete = function() end})
