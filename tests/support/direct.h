/* direct.h: calling NAME_forward itself, as a user's program does, rather than the descriptor. */
#ifndef TEST_DIRECT_H
#define TEST_DIRECT_H

#include "../../runtime/rnnc.h"

/* Calls NAME_forward of `library`, whose parameters depend on what the model was generated for:
 * weights only if not built in, seq_len and batch only if any. ARGUMENT if there is no such symbol.
 */
rnnc_status call_directly(void *library, const rnnc_model *model, const rnnc_call *call);

#endif
