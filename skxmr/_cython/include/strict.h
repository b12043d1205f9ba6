/* Included before every kernel (setup.py). The kernels rely on infinities, on signs of
 * zeros and on the order of sums, so options that relax floating-point rules are refused. */
#if defined(__FAST_MATH__) || \
    (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__) || defined(_M_FP_FAST)
#error \
    "skxmr must be compiled without -ffast-math, -Ofast, -ffinite-math-only or /fp:fast"
#endif
