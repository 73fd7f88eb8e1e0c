"""Draws the pictures of the documentation from a real stack (``make pictures``)."""
