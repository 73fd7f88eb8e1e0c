"""The worker's side of Kusto: endpoints by database, credentials, commands, errors in words.

Built on ``azure-kusto-data`` (aio) and ``azure-identity``.
"""
