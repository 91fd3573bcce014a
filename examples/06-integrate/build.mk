# make -f build.mk
RNNC = rnnc
CFLAGS = -O2 -Wall
generated = gen/counter.h gen/counter.c gen/counter_weights.c

count: main.c $(generated)
	$(CC) -std=c11 $(CFLAGS) -Igen -o $@ main.c gen/counter.c gen/counter_weights.c -lm

# rnnc leaves files alone that would not change; the stamp tells make that it has run.
gen/counter.stamp: model.lua
	$(RNNC) compile model.lua -o gen --depfile=gen/counter.d --depfile-target=$@
	touch $@
$(generated): gen/counter.stamp ;

-include gen/counter.d
