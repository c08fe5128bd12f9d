"""How long the window's tests wait for what must happen."""

SECONDS = 120
"""Only a test that fails waits so long: kernels may have to be compiled, and others be busy."""
