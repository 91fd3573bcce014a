#include "difference.h"

#include <float.h>
#include <math.h>

/* Distance of neighbouring floats at that magnitude. */
static double spacing(double magnitude) {
    int exponent;
    frexp(magnitude, &exponent);
    return ldexp(1.0, (exponent < FLT_MIN_EXP ? FLT_MIN_EXP : exponent) - FLT_MANT_DIG);
}

static double larger(double a, double b) { return a > b ? a : b; }

difference difference_of(size_t n, const float *got, const double *reference) {
    difference d = {0};
    for (size_t i = 0; i < n; i++) {
        const double magnitude = fabs(reference[i]);
        const int same = (isnan(got[i]) && isnan(reference[i])) || (double)got[i] == reference[i];
        double error = same ? 0 : fabs((double)got[i] - reference[i]);
        if (!(error <= DBL_MAX))
            error = INFINITY;
        d.absolute = larger(d.absolute, error);
        d.largest = larger(d.largest, isfinite(magnitude) ? magnitude : 0);
        if (magnitude < DIFFERENCE_LEAST && error <= DBL_MAX)
            continue;
        d.relative = larger(d.relative, same ? 0 : error / magnitude);
        d.ulp = larger(d.ulp, same ? 0 : error / spacing(magnitude));
    }
    return d;
}
