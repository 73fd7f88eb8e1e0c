"""What the worker does for a rule, as plain data: ``decide``, then ``effects``. Pure functions."""
