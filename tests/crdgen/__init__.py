"""What crdgen promises: generation, check, diff, validation, and agreement with a real server."""
