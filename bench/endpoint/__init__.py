"""The local Kusto endpoint beside plain DuckDB, and how much of public rules it knows."""
