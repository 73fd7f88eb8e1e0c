"""Admission of an object: its defaults, its violations and its warnings. Pure functions."""
