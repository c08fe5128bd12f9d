"""Campaigns: a plan of many measurements, carried out overnight, through anything."""
