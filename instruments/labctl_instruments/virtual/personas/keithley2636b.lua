-- What a Keithley 2600B does in Lua: reading buffers, measure functions, formats, sweeps, display.
-- Nothing is asked of the instrument while this runs.
-- Given: set_number_format(style), and object(members, getters, setters).
local set_number_format, object = ...
local next, type, select, error, rawget, rawset = next, type, select, error, rawget, rawset
local tostring, tonumber, setmetatable, getmetatable = tostring, tonumber, setmetatable, getmetatable
local print, unpack = print, unpack
local style, concat, floor, max = string.format, table.concat, math.floor, math.max
local delay, hardware_reset, now, pack = delay, reset, _now, _pack
_now, _pack = nil, nil

local OVERFLOW = 9.91e37
local MOST_READINGS = 100000
local resets = {}

-- Attributes that are kept and do nothing more; a reset puts them back.
local function stored(members, defaults, check)
  local values, getters, setters = {}, {}, {}
  local function restore()
    for key, value in next, defaults do values[key] = value end
  end
  restore()
  resets[#resets + 1] = restore
  for key in next, defaults do
    getters[key] = function() return values[key] end
    setters[key] = function(value)
      if type(value) ~= type(defaults[key]) then
        error("-224, Illegal parameter value;" .. key .. " = " .. tostring(value), 0)
      end
      if check then check(key, value) end
      values[key] = value
    end
  end
  return object(members, getters, setters), values
end

-- Formats -----------------------------------------------------------------------------------
local format_values
local function check_format(key, value)
  local bounds = {data = {1, 3}, byteorder = {0, 1}, asciiprecision = {1, 16}}
  local low, high = bounds[key][1], bounds[key][2]
  if value < low or value > high or value ~= floor(value) then
    error("-224, Illegal parameter value;format." .. key .. " = " .. value, 0)
  end
  if key == "asciiprecision" then set_number_format("%." .. (value - 1) .. "e") end
end
format, format_values = stored(
  {ASCII = 1, SREAL = 2, REAL32 = 2, REAL = 3, DREAL = 3, REAL64 = 3,
   NORMAL = 0, NETWORK = 0, BIGENDIAN = 0, SWAPPED = 1, LITTLEENDIAN = 1},
  {data = 1, byteorder = 1, asciiprecision = 6}, check_format)
resets[#resets + 1] = function() set_number_format("%.5e") end

local function print_values(values)
  if format_values.data == 1 then
    local number = "%." .. (format_values.asciiprecision - 1) .. "e"
    for k = 1, #values do values[k] = style(number, values[k]) end
    return print(concat(values, ", "))
  end
  for k = 1, #values do values[k] = style("%.17g", values[k]) end
  local width = format_values.data == 2 and 4 or 8
  print("#0" .. pack(concat(values, " "), width, format_values.byteorder))
end

function printnumber(...)
  local values = {}
  for k = 1, select("#", ...) do
    values[k] = tonumber((select(k, ...))) or error("-224, Illegal parameter value;no number", 0)
  end
  print_values(values)
end

-- Reading buffers -----------------------------------------------------------------------------
local contents = setmetatable({}, {__mode = "k"})  -- of each buffer
local COLUMNS = {"readings", "timestamps", "sourcevalues", "statuses"}

local function make_buffer(capacity, is_lasting)
  local data = {n = 0}
  for _, column in next, COLUMNS do data[column] = {} end
  local buffer, values = stored({}, {
    appendmode = 0, collectsourcevalues = 0, collecttimestamps = 0, timestampresolution = 1e-6,
    cachemode = 1, fillmode = 0, fillcount = 0,
  })
  if not is_lasting then resets[#resets] = nil end
  local function clear()
    data.n = 0
    for _, column in next, COLUMNS do data[column] = {} end
  end
  rawset(buffer, "clear", clear)
  rawset(buffer, "clearcache", function() end)
  local getters = getmetatable(buffer).Getters
  getters.n = function() return data.n end
  getters.capacity = function() return capacity end
  getters.basetimestamp = function() return 0 end
  getters.next = function() return data.n % capacity + 1 end
  local function by_number(get)  -- getters of what is indexed with numbers
    return {__index = function(_, key)
      if type(key) == "number" then return function() return get(key) end end
    end}
  end
  for _, column in next, COLUMNS do
    local function get(n) return data[column][n] end
    rawset(buffer, column, object({getreading = get}, setmetatable({}, by_number(get)), {}))
  end
  setmetatable(getters, by_number(function(n) return data.readings[n] end))
  data.values, data.capacity, data.clear = values, capacity, clear
  contents[buffer] = data
  return buffer
end

local function the_data(buffer)
  return contents[buffer] or error("-224, Illegal parameter value;no reading buffer", 0)
end

local function store(data, reading, time, level, status)
  if data.n >= data.capacity then
    error("-225, Out of memory or TTL;the reading buffer is full", 0)
  end
  local n = data.n + 1
  data.n, data.readings[n], data.statuses[n] = n, reading, status
  if data.values.collecttimestamps == 1 then data.timestamps[n] = time end
  if data.values.collectsourcevalues == 1 then data.sourcevalues[n] = level end
end

function printbuffer(first, last, ...)
  local columns, values = {}, {}
  for k = 1, select("#", ...) do
    local column = select(k, ...)
    columns[k] = contents[column] and contents[column].readings or column
    if type(columns[k]) ~= "table" then
      error("-224, Illegal parameter value;no reading buffer", 0)
    end
  end
  for n = first, last do
    for _, column in next, columns do
      values[#values + 1] = column[n]
        or error("-222, Parameter data out of range;there is no reading " .. n, 0)
    end
  end
  print_values(values)
end

-- Channels ------------------------------------------------------------------------------------
local takers = {}  -- of each channel: take readings of some kinds, and store them in buffers

local function install(smu)
  local measure, source = smu.measure, smu.source
  local read = rawget(measure, "_read")
  rawset(measure, "_read", nil)

  local function take(kinds, ...)
    local data, latest = {}, {}
    for k = 1, select("#", ...) do data[k] = the_data((select(k, ...))) end
    local count, interval = measure.count, measure.interval
    for n = 1, count do
      local began = now()
      local i, v, status, time, level = read()
      local found = {i = i, v = v, p = v * i, r = i ~= 0 and v / i or OVERFLOW}
      for k, kind in next, kinds do
        latest[k] = found[kind]
        if data[k] then store(data[k], found[kind], time, level, status) end
      end
      if n < count and interval > 0 then delay(max(0, began + interval - now())) end
    end
    return unpack(latest, 1, #kinds)
  end
  takers[smu] = take

  local function take_anew(kinds, ...)
    for k = 1, select("#", ...) do
      local data = the_data((select(k, ...)))
      if data.values.appendmode == 0 then data.clear() end
    end
    return take(kinds, ...)
  end

  for name, kinds in next, {i = {"i"}, v = {"v"}, r = {"r"}, p = {"p"}, iv = {"i", "v"}} do
    rawset(measure, name, function(...) return take_anew(kinds, ...) end)
    rawset(measure, "overlapped" .. name, function(...) take_anew(kinds, ...) end)
    rawset(smu, "measure" .. name .. "andstep", function(...)
      local count = select("#", ...)
      local level, buffers = select(count, ...), {...}
      buffers[count] = nil
      local first, second = take_anew(kinds, unpack(buffers, 1, count - 1))
      source[source.func == 1 and "levelv" or "leveli"] = level
      return first, second
    end)
  end

  rawset(smu, "nvbuffer1", make_buffer(MOST_READINGS, true))
  rawset(smu, "nvbuffer2", make_buffer(MOST_READINGS, true))
  rawset(smu, "makebuffer", function(size)
    if type(size) ~= "number" or size < 1 or size > MOST_READINGS then
      error("-222, Parameter data out of range;a buffer of " .. tostring(size), 0)
    end
    return make_buffer(floor(size))
  end)
  rawset(smu, "savebuffer", function() end)
  local reset_channel = rawget(smu, "reset")
  local function reset_buffers()
    contents[smu.nvbuffer1].clear()
    contents[smu.nvbuffer2].clear()
  end
  rawset(smu, "reset", function()
    reset_channel()
    reset_buffers()
  end)
  resets[#resets + 1] = reset_buffers
end


install(smua)
install(smub)

-- Sweeps that the instrument brings along -----------------------------------------------------
local function sweep(smu, func, level, kind, points, settle)
  local buffer, source = smu.nvbuffer1, smu.source
  buffer.clear()
  buffer.appendmode, buffer.collectsourcevalues, buffer.collecttimestamps = 1, 1, 1
  source.func = func
  source[level] = points(1)
  source.output = 1
  local n = 1
  while points(n) do
    source[level] = points(n)
    delay(settle)
    smu.measure[kind](buffer)
    n = n + 1
  end
  source.output = 0
  source[level] = 0
end

local function linear(start, stop, count)
  return function(n)
    if n <= count then return start + (stop - start) * (n - 1) / max(count - 1, 1) end
  end
end

for letter, func in next, {V = 1, I = 0} do
  local other, level = letter == "V" and "I" or "V", "level" .. letter:lower()
  _G["Sweep" .. letter .. "LinMeasure" .. other] = function(smu, start, stop, settle, count)
    sweep(smu, func, level, other:lower(), linear(start, stop, count), settle)
  end
  _G["Sweep" .. letter .. "ListMeasure" .. other] = function(smu, list, settle, count)
    local function points(n) if n <= count then return list[n] end end
    sweep(smu, func, level, other:lower(), points, settle)
  end
end

-- Timer, display, beeper ----------------------------------------------------------------------
local began = 0
timer = {reset = function() began = now() end, measure = {t = function() return now() - began end}}

local shown = ""
display = stored({
  SMUA = 0, SMUB = 1, SMUA_SMUB = 2, USER = 3, KEY_EXIT = 75,
  MEASURE_DCAMPS = 0, MEASURE_DCVOLTS = 1, MEASURE_OHMS = 2, MEASURE_WATTS = 3,
  DIGITS_4_5 = 4, DIGITS_5_5 = 5, DIGITS_6_5 = 6,
  clear = function() shown = "" end,
  settext = function(text) shown = tostring(text):sub(1, 53) end,
  gettext = function() return shown end,
  setcursor = function() end,
  sendkey = function() end,
  smua = stored({measure = stored({}, {func = 1})}, {digits = 5}),
  smub = stored({measure = stored({}, {func = 1})}, {digits = 5}),
}, {screen = 2})
beeper = stored({ON = 1, OFF = 0, beep = function(time) delay(time) end}, {enable = 1})
node = {localnode}

function reset()
  hardware_reset()
  for _, restore in next, resets do restore() end
end
