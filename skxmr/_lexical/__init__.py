"""Lexical search: an inverted index over texts, and the spelling of its terms."""
