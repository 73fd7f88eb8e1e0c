"""The domain of the SummaryRule operator: pure functions over plain values.

Nothing in this package does I/O, reads a clock or looks at the environment; callers hand in
the object, what was observed, and the time. It imports the standard library and Pydantic only.
"""
