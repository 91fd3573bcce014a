@ -- Losses of NAME_train.c: a mean, and its gradient by what the network gave.
@ -- A loss over pairs of values. term, slope: C of the difference d, or of y and t
@ local function of_pairs(which, parameters, invalid, term, slope)

rnnc_status @{name}_loss_@{which}(size_t count, const float *y, const float *target, @{parameters}double *loss,
    float *dy)
{
    if (!y || !target || !loss || count == 0@{invalid}) return RNNC_ERR_ARGUMENT;
    double sum = 0;
    for (size_t i = 0; i < count; ++i) {
        const double y_i = (double)y[i], t = (double)target[i], d = y_i - t;
        (void)d;
        sum += @{term};
        if (dy) dy[i] = (float)((@{slope}) / (double)count);
    }
    *loss = sum / (double)count;
    return RNNC_OK;
}
@ end
/* ---- losses @{rep("-", 87)} */
@ of_pairs("mse", "", "", "d * d", "2 * d")
@ of_pairs("l1", "", "", "fabs(d)", "d > 0 ? 1.0 : d < 0 ? -1.0 : d")
@ of_pairs("huber", "double delta, ", " || !(delta > 0)",
@     "fabs(d) <= delta ? 0.5 * d * d : delta * (fabs(d) - 0.5 * delta)", "d > delta ? delta : d < -delta ? -delta : d")
@ of_pairs("bce_with_logits", "", "", "fmax(y_i, 0.0) - y_i * t + log1p(exp(-fabs(y_i)))", "1 / (1 + exp(-y_i)) - t")

rnnc_status @{name}_loss_esr(size_t count, const float *y, const float *target, double epsilon, double *loss, float *dy)
{
    if (!y || !target || !loss || count == 0 || !(epsilon >= 0)) return RNNC_ERR_ARGUMENT;
    double error = 0, energy = epsilon * (double)count;
    for (size_t i = 0; i < count; ++i) {
        const double d = (double)y[i] - (double)target[i];
        error += d * d;
        energy += (double)target[i] * (double)target[i];
    }
    *loss = error / energy;
    for (size_t i = 0; dy && i < count; ++i)
        dy[i] = (float)(2 * ((double)y[i] - (double)target[i]) / energy);
    return RNNC_OK;
}

rnnc_status @{name}_loss_cross_entropy(size_t count, size_t classes, const float *logits, const int32_t *labels,
    const float *class_weights, int32_t ignore_index, double *loss, float *dlogits)
{
    if (!logits || !labels || !loss || count == 0 || classes == 0) return RNNC_ERR_ARGUMENT;
    double total = 0, sum = 0;
    for (size_t i = 0; i < count; ++i) {
        if (labels[i] == ignore_index) continue;
        if (labels[i] < 0 || (size_t)labels[i] >= classes) return RNNC_ERR_ARGUMENT;
        total += class_weights ? (double)class_weights[labels[i]] : 1.0;
    }
    for (size_t i = 0; i < count; ++i) {
        const float *const row = logits + i * classes;
        float *const slope = dlogits ? dlogits + i * classes : NULL;
        if (labels[i] == ignore_index) {
            if (slope) memset(slope, 0, classes * sizeof(float));
            continue;
        }
        const double weight = class_weights ? (double)class_weights[labels[i]] : 1.0;
        double most = (double)row[0], exponentials = 0;
        for (size_t k = 1; k < classes; ++k) most = (double)row[k] > most ? (double)row[k] : most;
        for (size_t k = 0; k < classes; ++k) exponentials += exp((double)row[k] - most);
        sum += weight * (log(exponentials) - ((double)row[labels[i]] - most));
        for (size_t k = 0; slope && k < classes; ++k) {
            const double share = exp((double)row[k] - most) / exponentials - (k == (size_t)labels[i] ? 1.0 : 0.0);
            slope[k] = (float)(weight * share / total);
        }
    }
    *loss = sum / total;
    return RNNC_OK;
}
