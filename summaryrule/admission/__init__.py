"""What admission makes of an object: defaults, violations and warnings. Pure functions."""
