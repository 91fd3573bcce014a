@ -- The Makefile that `rnnc init --program` writes.
@ assert(name and file and weights)
# `make run` generates C from @{file}, compiles it with main.c, and runs it. Where rnnc is not installed:
# make RNNC=/path/to/rnnc run
RNNC ?= rnnc
CFLAGS = -O2 -Wall

@{name}: main.c @{name}.c @{name}.h @{name}_weights.c rnnc.h
	$(CC) -std=c11 $(CFLAGS) -I. -o $@ main.c @{name}.c @{name}_weights.c -lm

# rnnc leaves files alone that would not change, so that a touch of @{file} compiles nothing; the stamp
# tells make when it has run. What `rnnc tune` wrote counts, if it is there.
@{name}.stamp: @{file} @{weights} $(wildcard @{stem}.tune)
	$(RNNC) compile @{file}
	touch $@
@{name}.c @{name}.h @{name}_weights.c: @{name}.stamp ;

.PHONY: run clean
run: @{name}
	./@{name}

clean:
	rm -f @{name} @{name}.c @{name}.h @{name}_weights.c @{name}.stamp
