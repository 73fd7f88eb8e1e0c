"""CEL as the API server compiles it: parsed, type-checked against a schema, costed, evaluated.

The grammar and the macros are those of the CEL library (`parse`); types, overloads, cost and
values follow Kubernetes' environment of 1.37, which no library outside of Go offers.
"""
