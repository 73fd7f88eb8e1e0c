"""What the worker does about a rule, as plain data: `decide`, then `effects`. Pure functions."""
