"""LEARN: the only home of PyTorch."""
