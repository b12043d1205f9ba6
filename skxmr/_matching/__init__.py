"""How queries match what was typed."""
