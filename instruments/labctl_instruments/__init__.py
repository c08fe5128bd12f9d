"""What hangs on the cables: bench, station, drivers, virtual instruments, simulated chip."""
