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

double difference_error(float got, double reference) {
    /* Beyond the largest float the right one is infinity. */
    if ((isnan(got) && isnan(reference)) || (double)got == reference ||
        (isinf(got) && (got > 0 ? reference > (double)FLT_MAX : reference < -(double)FLT_MAX)))
        return 0;
    const double error = fabs((double)got - reference);
    return error <= DBL_MAX ? error : INFINITY;
}

difference difference_of(size_t n, const float *got, const double *reference) {
    difference d = {0};
    for (size_t i = 0; i < n; i++) {
        const double magnitude = fabs(reference[i]);
        const double error = difference_error(got[i], reference[i]);
        d.absolute = larger(d.absolute, error);
        d.largest = larger(d.largest, isfinite(magnitude) ? magnitude : 0);
        if (magnitude < DIFFERENCE_LEAST && error <= DBL_MAX)
            continue;
        d.relative = larger(d.relative, error > 0 ? error / magnitude : 0);
        d.ulp = larger(d.ulp, error > 0 ? error / spacing(magnitude) : 0);
    }
    return d;
}
