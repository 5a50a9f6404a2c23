"""What the house says of itself while it works: lines in the log, and traces."""

from crosslens.telemetry.logs import configure, logger

__all__ = ["configure", "logger"]
