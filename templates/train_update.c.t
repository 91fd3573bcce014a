@ -- Optimisers of NAME_train.c: one pass over the parameters each, by PyTorch's formulas.

/* ---- updates @{rep("-", 86)} */

double @{name}_clip_norm(float *gradient, double max_norm)
{
    const double norm = sqrt(squares(@{upper}_PARAMETERS, gradient)), factor = max_norm / (norm + 1e-6);
    if (factor < 1)
        for (size_t i = 0; i < @{upper}_PARAMETERS; ++i) gradient[i] = (float)(gradient[i] * factor);
    return norm;
}

void @{name}_clip_value(float *gradient, double most)
{
    const float limit = (float)most;
    for (size_t i = 0; i < @{upper}_PARAMETERS; ++i)
        gradient[i] = gradient[i] > limit ? limit : gradient[i] < -limit ? -limit : gradient[i];
}

rnnc_status @{name}_update_sgd(float *parameters, const float *gradient, float *velocity, double lr, double momentum,
    int nesterov, double weight_decay)
{
    if (!parameters || !gradient || (momentum != 0 && !velocity)) return RNNC_ERR_ARGUMENT;
    const float rate = (float)lr, kept = (float)momentum, decay = (float)weight_decay;
    for (size_t i = 0; i < @{upper}_PARAMETERS; ++i) {
        float g = gradient[i] + decay * parameters[i];
        if (momentum != 0) {
            velocity[i] = kept * velocity[i] + g;
            g = nesterov ? g + kept * velocity[i] : velocity[i];
        }
        parameters[i] -= rate * g;
    }
    return RNNC_OK;
}

/* Adam with the decay in the gradient (coupled), or of the parameters by themselves (AdamW). */
static rnnc_status adam(float *parameters, const float *gradient, float *first, float *second, uint64_t step, double lr,
    double beta1, double beta2, double epsilon, double coupled, double decoupled)
{
    if (!parameters || !gradient || !first || !second || step == 0) return RNNC_ERR_ARGUMENT;
    /* First and second moments begin as 0, which is divided out. */
    const adam_factors f = {
        (float)(lr / (1 - pow(beta1, (double)step))),
        (float)(1 / sqrt(1 - pow(beta2, (double)step))),
        (float)beta1, (float)(1 - beta1), (float)beta2, (float)(1 - beta2),
        (float)epsilon, (float)coupled, (float)(1 - lr * decoupled),
    };
    run_adam(&f, parameters, gradient, first, second);
    return RNNC_OK;
}

rnnc_status @{name}_update_adam(float *parameters, const float *gradient, float *first, float *second, uint64_t step,
    double lr, double beta1, double beta2, double epsilon, double weight_decay)
{
    return adam(parameters, gradient, first, second, step, lr, beta1, beta2, epsilon, weight_decay, 0);
}

rnnc_status @{name}_update_adamw(float *parameters, const float *gradient, float *first, float *second, uint64_t step,
    double lr, double beta1, double beta2, double epsilon, double weight_decay)
{
    return adam(parameters, gradient, first, second, step, lr, beta1, beta2, epsilon, 0, weight_decay);
}

rnnc_status @{name}_update_rmsprop(float *parameters, const float *gradient, float *second, float *velocity, double lr,
    double alpha, double epsilon, double momentum, double weight_decay)
{
    if (!parameters || !gradient || !second || (momentum != 0 && !velocity)) return RNNC_ERR_ARGUMENT;
    const float rate = (float)lr, kept = (float)alpha, fresh = (float)(1 - alpha), small = (float)epsilon;
    const float carried = (float)momentum, decay = (float)weight_decay;
    for (size_t i = 0; i < @{upper}_PARAMETERS; ++i) {
        const float g = gradient[i] + decay * parameters[i];
        second[i] = kept * second[i] + fresh * g * g;
        float step = g / (sqrtf(second[i]) + small);
        if (momentum != 0) step = velocity[i] = carried * velocity[i] + step;
        parameters[i] -= rate * step;
    }
    return RNNC_OK;
}

/* ---- first values @{rep("-", 81)} */

/* In (0, 1), the middle of one of 2^32 parts. */
static double uniform(uint32_t bits)
{
    return ((double)bits + 0.5) / 4294967296.0;
}

/* `count` values from number `first` on, uniform in (-bound, bound). */
static void init_uniform(float *parameters, size_t first, size_t count, double bound, uint64_t seed)
{
    for (size_t i = first; i < first + count; ++i) {
        uint32_t bits[4] = { (uint32_t)i, (uint32_t)((uint64_t)i >> 32), 0, 0 };
        philox(bits, seed);
        parameters[i] = (float)(bound * (2 * uniform(bits[0]) - 1));
    }
}
@ local embeds = false
@ for _, p in ipairs(facts.parameters) do embeds = embeds or p.normal end
@ if embeds then

/* The same of the normal distribution (Box and Muller 1958). */
static void init_normal(float *parameters, size_t first, size_t count, uint64_t seed)
{
    for (size_t i = first; i < first + count; ++i) {
        uint32_t bits[4] = { (uint32_t)i, (uint32_t)((uint64_t)i >> 32), 0, 0 };
        philox(bits, seed);
        parameters[i] = (float)(sqrt(-2 * log(uniform(bits[0]))) * cos(6.283185307179586 * uniform(bits[1])));
    }
}
@ end

void @{name}_init(float *parameters, uint64_t seed)
{
@ for _, p in ipairs(facts.parameters) do
@ if p.start then
    for (size_t i = @{p.offset}; i < @{p.offset + p.count}; ++i) parameters[i] = @{p.start};
@ elseif p.normal then
    init_normal(parameters, @{p.offset}, @{p.count}, seed);
@ else
    init_uniform(parameters, @{p.offset}, @{p.count}, @{p.bound}, seed);
@ end
@ end
}
