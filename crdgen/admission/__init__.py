"""Would the API server admit this object? Pruning, defaults, schema, list types and CEL rules.

`review` in `outcome` is what `crdgen validate` calls; `checks.defaults` uses the parts.
"""
