"""ASK: request, plan, match, rank, present."""
