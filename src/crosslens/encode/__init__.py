"""ENCODE: pixels and words to vectors of unit length."""
