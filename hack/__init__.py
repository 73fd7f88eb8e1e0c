"""Tools for the project itself, run by `make`."""
