/* activation_rows.h: what a dense layer may have behind its product, a row each; see activations.h.
 *
 *   ACTIVATION(constant, name, value)
 *     constant of rnnc_activation, in its order
 *     name     in a spec
 *     value    of v, with the layer's alpha and beta, in the type `real`, which is double and float
 * in turn, by functions of tgmath.h. Of a whole row, softmax for one, it is v.
 *
 *   ACTIVATION_OF_UNITS(constant, name, value): the same where alpha is a weight of the unit
 *
 * No include guard: it is included once for each thing that is made of a row. NaN stays NaN.
 * Formulas are those of the documentation of torch.nn. */

ACTIVATION(RNNC_IDENTITY, none, v)
ACTIVATION(RNNC_TANH, tanh, tanh(v))
ACTIVATION(RNNC_RELU, relu, v < 0 ? 0 : v)
ACTIVATION(RNNC_SIGMOID, sigmoid, 1 / (1 + exp(-v)))
ACTIVATION(RNNC_SOFTMAX, softmax, v)
ACTIVATION(RNNC_LOG_SOFTMAX, log_softmax, v)
ACTIVATION(RNNC_ELU, elu, v > 0 ? v : alpha * expm1(v))
ACTIVATION(RNNC_LEAKY_RELU, leaky_relu, v > 0 ? v : alpha * v)
ACTIVATION(RNNC_SOFTPLUS, softplus, (v < 0 ? 0 : v) + log1p(exp(-fabs(v))))
ACTIVATION(RNNC_GELU, gelu, v / 2 * erfc(v * -HALF_ROOT))
ACTIVATION(RNNC_GELU_TANH, gelu_tanh, v / (1 + exp(v * (1 + v * v * CUBIC) * -TWO_ROOTS)))
ACTIVATION(RNNC_SILU, silu, v / (1 + exp(-v)))
ACTIVATION(RNNC_HARD_SIGMOID, hard_sigmoid, BETWEEN(0, alpha *v + beta, 1))
ACTIVATION(RNNC_HARD_TANH, hard_tanh, BETWEEN(alpha, v, beta))
ACTIVATION(RNNC_SOFTSIGN, softsign, v / (1 + fabs(v)))
ACTIVATION(RNNC_SELU, selu, SELU_SCALE *(v > 0 ? v : SELU_ALPHA * expm1(v)))
ACTIVATION(RNNC_RELU6, relu6, BETWEEN(0, v, 6))
ACTIVATION(RNNC_HARD_SWISH, hard_swish, v *BETWEEN(0, v / 6 + HALF, 1))
ACTIVATION(RNNC_MISH, mish, v *tanh((v < 0 ? 0 : v) + log1p(exp(-fabs(v)))))
ACTIVATION(RNNC_AFFINE, affine, alpha *v + beta)
ACTIVATION_OF_UNITS(RNNC_PRELU, prelu, v > 0 ? v : alpha * v)
ACTIVATION_OF_UNITS(RNNC_SCALE, scale, alpha *v)
ACTIVATION_OF_UNITS(RNNC_SHIFT, shift, v + alpha)
