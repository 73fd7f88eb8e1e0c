"""Would the API server admit this object? Pruning, defaults, schema, list types and CEL rules."""
