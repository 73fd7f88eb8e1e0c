"""What one admission review costs: this project's webhook beside others with the same checks.

``python -m bench.webhook`` builds, checks that all answer alike, and measures in interleaved
rounds.
"""
