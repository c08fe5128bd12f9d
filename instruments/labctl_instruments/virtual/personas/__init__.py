"""The instruments, one a file; each knows its settings, its wires and the clock."""
