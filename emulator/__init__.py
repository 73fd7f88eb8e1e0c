"""A Kusto endpoint for a laptop: what the official clients need, on DuckDB and duckdb-kql.

`python -m emulator` serves it; docs/emulator.md is the user's page. Never in the production image.

A request goes intake → routes → endpoint → a command or a query; commands write through `runner`,
`appends` and `tables`, inside one transaction of `store`.
"""
