"""The classifier with one linear model for each node of a label tree."""

from skxmr.linear._classifier import XRLinearClassifier

__all__ = ["XRLinearClassifier"]
