#include "keras.h"
#include "cli.h"

#include <criterion/criterion.h>
#include <string.h>

void keras_need_hdf5(void) {
    outcome o = run(NULL, "check", KERAS_FOLDER "cudnn.h5", NULL, NULL, NULL);
    const bool without = strstr(o.err, "was built without libhdf5") != NULL;
    if (without) {
        cr_expect_eq(o.code, 1);
        cr_expect(strstr(o.err, "install libhdf5-dev and build rnnc again\n"), "%s", o.err);
    }
    outcome_free(&o);
    if (without)
        cr_skip_test("rnnc was built without libhdf5");
}
