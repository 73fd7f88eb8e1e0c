"""Where crdgen and a real API server are asked the same and must answer the same."""
