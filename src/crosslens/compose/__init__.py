"""Compose: a picture and words that change it → the vector of what is wished for."""
