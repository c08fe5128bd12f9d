"""Byte layouts that a driver and its virtual instrument share."""
