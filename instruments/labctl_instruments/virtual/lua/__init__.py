"""Lua 5.1 for instruments that are programmed in it: in this process, or confined in a child."""
