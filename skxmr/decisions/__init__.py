"""From scores to decisions: probabilities, and how many labels each row gets."""

from skxmr.decisions._calibrator import SparseCalibrator
from skxmr.decisions._label_threshold_cv import LabelThresholdCV

__all__ = ["LabelThresholdCV", "SparseCalibrator"]
