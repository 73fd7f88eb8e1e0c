"""What the status page costs with many rules and viewers."""
