"""Document stores: where plain entries lie, to be read by their key."""
