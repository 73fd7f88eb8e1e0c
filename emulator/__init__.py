"""A Kusto endpoint for a laptop: what the official clients need, on DuckDB and duckdb-kql.

`python -m emulator` serves it; docs/emulator.md is the user's page. Never in the production image.

A request goes through `app` and `request_parser` to `service`, which runs a command or a query.
Commands write through `operation_runner`, `appends` and `tables`, in one transaction of `store`.
"""
