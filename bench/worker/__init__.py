"""Measures the worker on a real API server and the local Kusto endpoint (``make bench-worker``)."""
