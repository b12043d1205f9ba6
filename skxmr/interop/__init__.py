"""Readers and writers of PECOS XR-Linear model folders.

Both libraries have linear models along a tree of labels: a margin for each node, a
transform to a score, products along paths, and a beam search. So skxmr can search
models that PECOS trained, and vice versa.
"""

from skxmr.interop._pecos_reading import load_pecos
from skxmr.interop._pecos_writing import save_pecos

__all__ = ["load_pecos", "save_pecos"]
