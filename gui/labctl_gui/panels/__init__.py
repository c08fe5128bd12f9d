"""The parts of the window; each shows one thing of the session and asks it for one thing."""
