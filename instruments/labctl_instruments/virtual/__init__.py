"""Virtual instruments: personas behind one rack, around one simulated chip."""
