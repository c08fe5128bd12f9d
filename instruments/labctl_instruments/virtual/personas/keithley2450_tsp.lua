-- What a Keithley 2450 does in Lua: reading buffers as objects, measure functions, formats, timer.
-- Nothing is asked of the instrument while this runs.
-- Given: set_number_format(style), and object(members, getters, setters).
local set_number_format, object = ...
local type, select, error, rawget, rawset, next = type, select, error, rawget, rawset, next
local setmetatable, print, concat, style, tostring = setmetatable, print, table.concat, string.format, tostring
local now, count, capacity, element = _now, _count, _capacity, _element
local clear, make, delete, read = _clear, _make, _delete, rawget(smu.measure, "_read")
_now, _count, _capacity, _element, _clear, _make, _delete = nil, nil, nil, nil, nil, nil, nil
rawset(smu.measure, "_read", nil)

-- Numbers: as they are, to nine digits, unless a precision is chosen.
local precision, number = 0, "%.9g"
local function choose_precision(value)
  if type(value) ~= "number" or value < 0 or value > 16 or value % 1 ~= 0 then
    error("-224, Illegal parameter value;format.asciiprecision = " .. tostring(value), 0)
  end
  precision, number = value, value == 0 and "%.9g" or "%." .. (value - 1) .. "e"
  set_number_format(number)
end
choose_precision(0)
format = object({ASCII = 1, REAL32 = 2, REAL = 3, REAL64 = 3}, {
  data = function() return 1 end,
  asciiprecision = function() return precision end,
}, {
  data = function(value)  -- readings in binary are not there
    if value ~= 1 then error("-224, Illegal parameter value;format.data = " .. tostring(value), 0) end
  end,
  asciiprecision = choose_precision,
})

-- Columns of a buffer, and what the instrument calls their elements.
local COLUMNS = {
  readings = "READ", sourcevalues = "SOUR", relativetimestamps = "REL", statuses = "STAT",
  sourcestatuses = "SOURSTAT", units = "UNIT", sourceunits = "SOURUNIT", dates = "DATE",
  times = "TIME", timestamps = "TST", seconds = "SEC", fractionalseconds = "FRAC",
  formattedreadings = "FORM", sourceformattedvalues = "SOURFORM",
}
local names = setmetatable({}, {__mode = "k"})    -- of each buffer
local columns = setmetatable({}, {__mode = "k"})  -- of each column: its buffer's name, its element

local function by_number(name, what)
  return {__index = function(_, key)
    if type(key) == "number" then return function() return element(name, what, key) end end
  end}
end

local function buffer_of(name)
  local made = object({clear = function() clear(name) end}, setmetatable({
    n = function() return count(name) end,
    startindex = function() return count(name) > 0 and 1 or 0 end,
    endindex = function() return count(name) end,
    capacity = function() return capacity(name) end,
  }, by_number(name, "READ")), {})
  for column, what in next, COLUMNS do
    local held = object({}, setmetatable({}, by_number(name, what)), {})
    columns[held] = {name, what}
    rawset(made, column, held)
  end
  names[made] = name
  return made
end

local function name_of(buffer)
  if buffer == nil then return "defbuffer1" end
  return names[buffer] or error("-224, Illegal parameter value;no reading buffer", 0)
end

defbuffer1, defbuffer2 = buffer_of("defbuffer1"), buffer_of("defbuffer2")
local made_so_far = 0
buffer = {
  make = function(size)
    made_so_far = made_so_far + 1
    local name = "made" .. made_so_far
    make(name, size)
    return buffer_of(name)
  end,
  delete = function(one) delete(name_of(one)) end,
  clearstats = function() end,
  STYLE_STANDARD = 1, STYLE_FULL = 2, STYLE_COMPACT = 3,
}

rawset(smu.measure, "read", function(one) return (read(name_of(one))) end)
rawset(smu.measure, "readwithtime", function(one)
  local reading, time = read(name_of(one))
  return reading, time, time % 1
end)

-- A buffer may be named in the last place of a sweep or a trigger model.
local function with_buffer(f)
  return function(...)
    local given, n = {...}, select("#", ...)
    if type(given[n]) == "table" then given[n] = name_of(given[n]) end
    return f(unpack(given, 1, n))
  end
end
for _, word in next, {"sweeplinear", "sweeplinearstep", "sweeplog"} do
  rawset(smu.source, word, with_buffer(rawget(smu.source, word)))
end
rawset(trigger.model, "load", with_buffer(rawget(trigger.model, "load")))
for _, word in next, {"STATE_IDLE"} do rawset(trigger, word, "trigger." .. word) end

local function shown(value)
  if type(value) == "number" then return style(number, value) end
  return tostring(value)
end

function printbuffer(first, last, ...)
  local found = {}
  for n = first, last do
    for k = 1, select("#", ...) do
      local one = select(k, ...)
      local column = columns[one] or {name_of(one), "READ"}
      found[#found + 1] = shown(element(column[1], column[2], n))
    end
  end
  print(concat(found, ", "))
end

function printnumber(...)
  local found = {}
  for k = 1, select("#", ...) do found[k] = shown((select(k, ...))) end
  print(concat(found, ", "))
end

local began = 0
timer = {cleartime = function() began = now() end, gettime = function() return now() - began end}
display = {
  SCREEN_HOME = 0, SCREEN_USER_SWIPE = 1, TEXT1 = 1, TEXT2 = 2,
  changescreen = function() end, settext = function() end, clear = function() end,
}
beeper = {beep = function(time) delay(time) end}
collectgarbage = function() return 0 end
