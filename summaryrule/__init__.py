"""The rules of the SummaryRule operator, as pure functions of plain values.

Nothing in this package does I/O, reads a clock or reads the environment: objects, observations and
the time are arguments. It imports the standard library and Pydantic only.
"""
