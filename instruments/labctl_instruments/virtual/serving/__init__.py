"""A virtual bench for other people's programs: TCP sockets, under rules for strangers."""
