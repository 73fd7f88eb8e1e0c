"""The SummaryRule API: models, validation, and the values of it (instants, durations, windows)."""
