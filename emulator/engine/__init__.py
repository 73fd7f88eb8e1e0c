"""A typed KQL engine: KQL text to SQL that DuckDB runs.

`lexer` and `parser` give the syntax tree of `syntax`. `expressions` and `operators` give every
expression its Kusto type and its SQL, and `compiler` puts them together. What Kusto refuses is
refused with Kusto's code. What this engine does not know is refused by name and place, so that no
query is answered wrongly.
"""
