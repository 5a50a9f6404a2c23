"""INDEX: nearest neighbours and keyword search; derived, rebuildable."""
