"""The levels of SIMD instructions that this machine has.

Kernels that are compiled for several levels take the level as an argument: an index
into `SIMD_LEVELS`. Their results do not depend on it.
"""

# In ascending order, the last being the best.
SIMD_LEVELS = [
    name
    for name, level in {"baseline": BASELINE, "avx2": AVX2, "avx512": AVX512}.items()
    if level <= best_level()
]
