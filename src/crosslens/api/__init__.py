"""The HTTP door: wire → values → use case → wire, and a guard in front of every path."""
