cdef extern from "include/levels.h" nogil:
    enum:
        BASELINE "SKXMR_BASELINE"
        AVX2 "SKXMR_AVX2"
        AVX512 "SKXMR_AVX512"

    int best_level "skxmr_best_level"()
