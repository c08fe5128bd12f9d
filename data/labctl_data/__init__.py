"""What is remembered: run files, chip files, the device model, fits and statistics."""
