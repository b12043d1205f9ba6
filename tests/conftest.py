"""Hypothesis times no test: a busy machine is not a defect."""

from hypothesis import settings

settings.register_profile("untimed", settings.default, deadline=None)
settings.load_profile("untimed")
