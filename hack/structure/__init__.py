"""Measures the structure of the code (`make structure`)."""
