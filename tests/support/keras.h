/* keras.h: what the tests of imports from Keras share. */
#ifndef TEST_KERAS_H
#define TEST_KERAS_H

#define KERAS_FOLDER "tests/import/keras/"

/* rnnc may have been built without libhdf5; import says so then, and what to do. Skips the test. */
void keras_need_hdf5(void);

#endif
