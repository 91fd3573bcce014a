@ -- The Makefile that `rnnc init --program` writes.
@ assert(name and file and weights)
# `make run` generates C from @{file}, compiles it with main.c, and runs it.
RNNC = rnnc
CFLAGS = -O2 -Wall

@{name}: main.c @{name}.c rnnc.h
	$(CC) -std=c11 $(CFLAGS) -I. -o $@ main.c @{name}.c @{name}_weights.c -lm

# rnnc leaves files alone that would not change; touch tells make that they are up to date.
@{name}.c: @{file} @{weights}
	$(RNNC) compile @{file}
	touch $@

.PHONY: run clean
run: @{name}
	./@{name}

clean:
	rm -f @{name} @{name}.c @{name}.h @{name}_weights.c
