/* difference.h: how far values are from what they should be. */
#ifndef RNNC_DIFFERENCE_H
#define RNNC_DIFFERENCE_H

#include <stddef.h>

/* Of the values whose reference is at least DIFFERENCE_LEAST in magnitude for relative and ulp,
 * because a sum that comes out near zero has no digits of its own; of all for absolute. */
#define DIFFERENCE_LEAST 1e-3

typedef struct difference {
    double absolute;
    double relative; /* to the reference */
    double ulp;      /* in units in the last place of the reference as a float */
    double largest;  /* reference, in magnitude */
} difference;

/* The distance of a value from its reference: infinite if one alone is NaN, or infinite; but a
 * float that is infinite because the reference is beyond all floats is right. */
double difference_error(float got, double reference);

/* The largest of each over n values; infinite where a value is NaN and the reference is not. */
difference difference_of(size_t n, const float *got, const double *reference);

#endif
