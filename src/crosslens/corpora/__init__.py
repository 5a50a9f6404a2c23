"""READ: data sets as they are on disk; no model, no store."""
