"""KNOW: what products exist; SQL is the truth."""
