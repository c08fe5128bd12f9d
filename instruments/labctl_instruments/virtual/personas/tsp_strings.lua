-- Strings that a user keeps by name, on every TSP instrument; it follows their own firmware in one chunk.
local strings = {}
userstring = {
  add = function(name, value) strings[tostring(name)] = tostring(value) end,
  get = function(name)
    return strings[tostring(name)]
      or error("-224, Illegal parameter value;no string " .. tostring(name), 0)
  end,
  delete = function(name) strings[tostring(name)] = nil end,
  catalog = function() return next, strings end,
}
