"""What was typed of queries, and how they match it."""
