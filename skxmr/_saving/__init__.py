"""Folders of models: a base, and the changes since."""
