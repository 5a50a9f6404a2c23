"""KEEP: vectors true to the catalogue."""
