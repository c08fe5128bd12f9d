"""The guardian: a process of its own that brings a bench to rest when the run cannot."""
