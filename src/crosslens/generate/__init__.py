"""Words → pictures: the wish, the protocol, and what draws."""
