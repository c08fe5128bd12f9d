"""Drivers: what each instrument understands, said with PyMeasure's properties."""
