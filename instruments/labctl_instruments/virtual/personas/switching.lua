-- What a switching mainframe does in Lua, beside its relays: timer, beeper, panel, strings by name.
local set_number_format, object = ...
local tostring, tonumber, next, error, max = tostring, tonumber, next, error, math.max
local now, delay, hardware_reset = _now, delay, reset
_now = nil

local began = 0
timer = {reset = function() began = now() end, measure = {t = function() return now() - began end}}

local is_heard = 1
beeper = object({ON = 1, OFF = 0, beep = function(time) delay(max(0, tonumber(time) or 0)) end},
  {enable = function() return is_heard end},
  {enable = function(value) is_heard = value end})

local shown = ""
display = {
  clear = function() shown = "" end,
  settext = function(text) shown = tostring(text):sub(1, 53) end,
  gettext = function() return shown end,
  setcursor = function() end,
  getannunciators = function() return 0 end,
}

function reset()
  hardware_reset()
  is_heard, shown = 1, ""
end
