"""The roof: command line, run engine, reports."""
