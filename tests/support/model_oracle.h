/* model_oracle.h: whole models in double precision, straight from PyTorch's documentation.
 *
 * Shares no code and no structure with the compiler, the generated C or the runtime. */
#ifndef TEST_MODEL_ORACLE_H
#define TEST_MODEL_ORACLE_H

#include "../../runtime/rnnc.h"

/* All of one forward call, each sequence by itself at its own length; y is 0 beyond it. Of the
 * call, x or tokens, lengths, h0, c0 and the sizes are read; tensors are in the order of the
 * layers. hn and cn are of the sizes that rnnc_call says. Aborts when memory runs out. */
void model_oracle(const rnnc_network *network, const rnnc_network_sizes *sizes,
                  const float *const *tensors, const rnnc_call *call, double *y, double *hn,
                  double *cn);

#endif
