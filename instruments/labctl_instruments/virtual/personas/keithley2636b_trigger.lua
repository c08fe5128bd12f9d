-- The trigger model of a Keithley 2600B: events, blenders, timers, and a sweep a channel.
-- It follows keithley2636b.lua in one chunk, and uses its locals.
-- A sweep is a coroutine that waits for events; what is due is done at once, and bench time passes
-- meanwhile. A program that polls is told once that a sweep was under way, as it would find it.
local create, resume, yield = coroutine.create, coroutine.resume, coroutine.yield
local remove = table.remove

local EVENTS = {  -- what the numbers of events add up from
  TRIGGER = 1, BLENDER = 10, TIMER = 30, GENERATOR = 50, CHANNEL = 100,
}
local PLACES = {"ARMED", "SWEEPING", "SOURCE_COMPLETE", "MEASURE_COMPLETE", "PULSE_COMPLETE",
  "SWEEP_COMPLETE", "IDLE"}
local SWEEPING_BITS = {2, 4}
local MOST_EVENTS = 50000
local MOST_POINTS = 100000
local N_BLENDERS, N_TIMERS, N_GENERATORS = 6, 8, 2

local detectors = {}   -- whatever takes note of events: {is it mine?, take note}
local running = {}     -- coroutine of each channel that is not idle
local due = {}         -- what timers will do: {time = , act = }
local swept = 0        -- channels that have swept since a program last asked
local waiting = {}     -- events that have been fired and are not yet seen

local function detect(is_mine, note) detectors[#detectors + 1] = {is_mine, note} end

local function fire(event) waiting[#waiting + 1] = event end

local function deliver()
  local delivered = 0
  while #waiting > 0 do
    local event = remove(waiting, 1)
    delivered = delivered + 1
    if delivered > MOST_EVENTS then
      waiting = {}
      error("-225, Out of memory or TTL;events chase events", 0)
    end
    for _, detector in next, detectors do
      if detector[1](event) then detector[2](event) end
    end
  end
end

local function proceed()
  local is_moving = true
  while is_moving do
    is_moving = false
    deliver()
    for number, channel in next, running do
      if channel.awaited == nil or channel.latched[channel.awaited] then
        is_moving = true
        local ok, problem = resume(channel.routine)
        if not ok then
          running[number] = nil
          error(problem, 0)
        end
        if channel.is_done then running[number] = nil end
        deliver()
      end
    end
    if not is_moving and #due > 0 then
      local first = 1
      for k = 2, #due do
        if due[k].time < due[first].time then first = k end
      end
      local next_one = remove(due, first)
      delay(max(0, next_one.time - now()))
      next_one.act()
      is_moving = true
    end
  end
end

local function check_event(key, value)
  if value < 0 or value ~= floor(value) then
    error("-224, Illegal parameter value;" .. key .. " = " .. value, 0)
  end
end

local function check_stimulus(key, value)
  if key == "stimulus" then check_event(key, value) end
end

-- Return a table whose event is `event`, with `clear()` and `wait()`.
local function latching(members, defaults, event)
  local latched = false
  local made, values = stored(members, defaults, check_stimulus)
  detect(function(found) return found == event end, function() latched = true end)
  rawset(made, "EVENT_ID", event)
  rawset(made, "clear", function() latched = false end)
  rawset(made, "wait", function(timeout)
    if not latched then
      proceed()
      if not latched then delay(max(0, tonumber(timeout) or 0)) end
    end
    local found = latched
    latched = false
    return found
  end)
  return made, values
end

-- trigger.* -----------------------------------------------------------------------------------
local function blender(number)
  local event, seen = EVENTS.BLENDER + number, {}
  local inputs, chosen = stored({}, {0, 0, 0, 0}, check_event)
  local made, values = latching({stimulus = inputs}, {orenable = false, overrun = false}, event)
  local function complete()
    for k = 1, 4 do
      if chosen[k] ~= 0 and not seen[k] then return false end
    end
    return true
  end
  detect(function(found)
    local is_mine = false
    for k = 1, 4 do
      if chosen[k] ~= 0 and chosen[k] == found then
        seen[k] = true
        is_mine = true
      end
    end
    return is_mine
  end, function()
    if values.orenable or complete() then
      seen = {}
      fire(event)
    end
  end)
  rawset(made, "reset", function()
    seen, values.orenable = {}, false
    for k = 1, 4 do chosen[k] = 0 end
  end)
  return made
end

local function timer_of(number)
  local event = EVENTS.TIMER + number
  local made, values = latching({}, {
    delay = 10e-6, count = 1, stimulus = 0, passthrough = false, overrun = false,
  }, event)
  local function start()
    local left = values.count
    local function schedule(at)
      due[#due + 1] = {time = at, act = function()
        fire(event)
        left = left - 1
        if left > 0 then schedule(at + values.delay) end
      end}
    end
    if values.passthrough then fire(event) end
    if left > 0 then schedule(now() + values.delay) end
  end
  detect(function(found) return values.stimulus ~= 0 and values.stimulus == found end, start)
  rawset(made, "reset", function()
    values.delay, values.count, values.stimulus, values.passthrough = 10e-6, 1, 0, false
  end)
  return made
end

local function several(count, make)
  local made = {}
  for number = 1, count do made[number] = make(number) end
  return made
end

trigger = latching({
  blender = several(N_BLENDERS, blender),
  timer = several(N_TIMERS, timer_of),
  generator = several(N_GENERATORS, function(number)
    local event = EVENTS.GENERATOR + number
    local made = latching({}, {}, event)
    rawset(made, "assert", function()
      fire(event)
      proceed()
    end)
    return made
  end),
}, {}, EVENTS.TRIGGER)
getmetatable(trigger).Assert = function()  -- what *TRG does
  fire(EVENTS.TRIGGER)
  proceed()
end

-- smuX.trigger.* ------------------------------------------------------------------------------
local function points_of(list)
  local points = {}
  if type(list) ~= "table" then
    error("-224, Illegal parameter value;a list of levels is wanted", 0)
  end
  for k = 1, #list do
    if k > MOST_POINTS then error("-222, Parameter data out of range;too many levels", 0) end
    points[k] = tonumber(list[k]) or error("-224, Illegal parameter value;no number", 0)
  end
  if #points == 0 then error("-224, Illegal parameter value;no level is given", 0) end
  return points
end

local function spread(start, stop, count, level)
  if type(count) ~= "number" or count < 1 or count > MOST_POINTS then
    error("-222, Parameter data out of range;" .. tostring(count) .. " points", 0)
  end
  local points = {}
  for k = 1, count do points[k] = level(start, stop, (k - 1) / max(count - 1, 1)) end
  return points
end

local function linearly(start, stop, part) return start + (stop - start) * part end

local function logarithmically(asymptote)
  return function(start, stop, part)
    local low, high = start - asymptote, stop - asymptote
    if low * high <= 0 then
      error("-222, Parameter data out of range;the asymptote lies between the ends", 0)
    end
    return asymptote + low * (high / low) ^ part
  end
end

local function a_stage(defaults) return stored({}, defaults, check_stimulus) end

local function install_trigger(smu, number)
  local first_event = EVENTS.CHANNEL * number
  local events = {}
  for k, place in next, PLACES do events[place] = first_event + k end

  local arm, arm_values = a_stage{count = 1, stimulus = 0}
  local source, source_values = a_stage{action = 0, stimulus = 0, limiti = 0, limitv = 0}
  local measure, measure_values = a_stage{action = 0, stimulus = 0}
  local endpulse, endpulse_values = a_stage{action = 1, stimulus = 0}
  local endsweep, endsweep_values = a_stage{action = 0}
  local stages = {arm = arm_values, source = source_values, measure = measure_values,
    endpulse = endpulse_values}
  local plan = {levels = nil, func = 1, kinds = nil, buffers = {}}

  for letter, func in next, {v = 1, i = 0} do
    local function sweeping(make)
      return function(...)
        plan.levels, plan.func = make(...), func
      end
    end
    rawset(source, "list" .. letter, sweeping(points_of))
    rawset(source, "linear" .. letter, sweeping(function(start, stop, count)
      return spread(start, stop, count, linearly)
    end))
    rawset(source, "log" .. letter, sweeping(function(start, stop, count, asymptote)
      return spread(start, stop, count, logarithmically(asymptote or 0))
    end))
  end
  for name, kinds in next, {i = {"i"}, v = {"v"}, r = {"r"}, p = {"p"}, iv = {"i", "v"}} do
    rawset(measure, name, function(...)
      plan.kinds, plan.buffers = kinds, {...}
      for k = 1, #kinds do the_data(plan.buffers[k]) end
    end)
  end

  local model = stored({
    arm = arm, source = source, measure = measure, endpulse = endpulse, endsweep = endsweep,
  }, {count = 1, autoclear = 0}, function(key, value)
    if key == "count" and (value < 1 or value ~= floor(value)) then
      error("-222, Parameter data out of range;count = " .. value, 0)
    end
  end)
  for place, event in next, events do rawset(model, place .. "_EVENT_ID", event) end

  local channel
  local function await(stage)
    if stages[stage].stimulus ~= 0 then
      channel.awaited = stage
      yield()
      channel.awaited, channel.latched[stage] = nil, nil
    end
  end
  for stage, values in next, stages do
    detect(
      function(found) return values.stimulus ~= 0 and values.stimulus == found end,
      function() if channel then channel.latched[stage] = true end end)
  end

  local function put(level) smu.source[plan.func == 1 and "levelv" or "leveli"] = level end

  local function cycle(k, idle)
    if source_values.action == 1 and plan.levels then
      await("source")
      put(plan.levels[(k - 1) % #plan.levels + 1])
      fire(events.SOURCE_COMPLETE)
    end
    if measure_values.action ~= 0 and plan.kinds then
      await("measure")
      takers[smu](plan.kinds, unpack(plan.buffers, 1, #plan.kinds))
      fire(events.MEASURE_COMPLETE)
    end
    await("endpulse")
    if endpulse_values.action == 0 and source_values.action == 1 then put(idle) end
    fire(events.PULSE_COMPLETE)
  end

  local function sweep_once()
    local idle = smu.source[plan.func == 1 and "levelv" or "leveli"]
    await("arm")
    swept = swept + (floor(swept / SWEEPING_BITS[number]) % 2 == 0 and SWEEPING_BITS[number] or 0)
    channel.is_sweeping = true
    fire(events.ARMED)
    fire(events.SWEEPING)
    for k = 1, model.count do cycle(k, idle) end
    if endsweep_values.action == 0 and source_values.action == 1 then put(idle) end
    channel.is_sweeping = false
    fire(events.SWEEP_COMPLETE)
  end

  local function limited(act)
    local name = plan.func == 1 and "limiti" or "limitv"
    local before = smu.source[name]
    if source_values[name] ~= 0 then smu.source[name] = source_values[name] end
    act()
    if source_values[name] ~= 0 then smu.source[name] = before end
  end

  rawset(model, "initiate", function()
    if running[number] then error("-213, Init ignored;a sweep is under way", 0) end
    for _, buffer in next, plan.buffers do
      if contents[buffer] and contents[buffer].values.appendmode == 0 then
        contents[buffer].clear()
      end
    end
    local own = {latched = {}}
    channel = own
    own.routine = create(function()
      limited(function() for _ = 1, arm_values.count do sweep_once() end end)
      fire(events.IDLE)
      own.is_done = true
    end)
    running[number] = own
    proceed()
  end)
  for stage, target in next, {arm = arm, source = source, measure = measure,
    endpulse = endpulse} do
    rawset(target, "set", function()
      if channel then channel.latched[stage] = true end
      proceed()
    end)
  end

  rawset(smu, "trigger", model)
  rawset(smu, "abort", function() running[number] = nil end)
  for name, value in next, {SOURCE_IDLE = 0, SOURCE_HOLD = 1, ASYNC = 2, LIMIT_AUTO = 0} do
    rawset(smu, name, value)
  end
  resets[#resets + 1] = function()
    running[number], plan.levels, plan.kinds, plan.buffers = nil, nil, nil, {}
  end
end

install_trigger(smua, 1)
install_trigger(smub, 2)
resets[#resets + 1] = function() due, swept, waiting = {}, 0, {} end

getmetatable(status.operation.sweeping).Getters.condition = function()
  local found = swept
  swept = 0
  for number, channel in next, running do
    if channel.is_sweeping then swept = swept + SWEEPING_BITS[number] end
  end
  return found
end
for _, name in next, {"waitcomplete", "opc"} do
  local wait = _G[name]
  _G[name] = function()
    wait()
    swept = 0
  end
end
