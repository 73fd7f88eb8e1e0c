"""Measurements, one package a room: `python -m bench.crdgen`."""
