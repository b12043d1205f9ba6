"""From scores to decisions: how many labels each row gets."""

from skxmr.decisions._label_threshold_cv import LabelThresholdCV

__all__ = ["LabelThresholdCV"]
