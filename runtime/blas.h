/* blas.h: between the backends and the one who chooses among them. */
#ifndef RNNC_BLAS_H
#define RNNC_BLAS_H

#include "internal.h"

/* 1 once rnnc_blas_openblas has succeeded. */
RNNC_HIDDEN int rnnc_openblas_found(void);

#endif
