/* circuit.h: the diode clipper, the part of a distortion pedal that distorts.
 *
 *              R
 *     in o--/\/\/\--+------+------+----o out
 *                   |      |      |
 *                   C     \ /    / \      two diodes, one for each direction
 *                   |      |      |
 *     ground o------+------+------+
 *
 * The resistor's current goes into the capacitor and the diodes, whose current grows exponentially
 * with the voltage:
 *
 *     C dV/dt = (U - V) / R - 2 Is sinh(V / Vt)
 *
 * U is the voltage at the input and V that at the output. Equation, values and the choice of an
 * implicit method: D. T. Yeh, J. S. Abel, J. O. Smith, "Simulation of the Diode Limiter in Guitar
 * Distortion Circuits by Numerical Solution of Ordinary Differential Equations", DAFx-07, 2007. */
#ifndef CIRCUIT_H
#define CIRCUIT_H

#include <stddef.h>

/* The voltages at the last sample; zero before the first. */
typedef struct circuit {
    double input, output;
} circuit;

/* What the circuit makes of `count` samples at 48 kHz, x to y, both (count); goes on from `state`.
 * A sample of 1 is 4.5 V at the input, where the amplifier before it ends that a battery of 9 V
 * feeds, and 0.65 V at the output. */
void circuit_run(circuit *state, size_t count, const float *x, float *y);

#endif
