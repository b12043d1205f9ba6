"""Large, growing and reusable arrays, and the limits of memory."""
