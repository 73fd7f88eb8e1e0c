"""The SummaryRule API: its models, its values (instants, durations, windows) and its rules."""
