"""Find products by picture, by words, or by "like this, but red"."""

__version__ = "0.1.0"
