/* Optimizers' steps: one pass over a parameter's values w, its gradient g and what is remembered.
 * Plain loops, which every compiler turns into vectors: memory sets the pace. */

static void NAME(sgd)(char *values, const char *gradient, char *velocity, ptrdiff_t count,
                      const cf_sgd *settings)
{
    REAL *restrict const w = (REAL *)values;
    REAL *restrict const v = (REAL *)velocity;
    const REAL *restrict const g = (const REAL *)gradient;
    const REAL lr = (REAL)settings->lr, decay = (REAL)settings->weight_decay;
    const REAL momentum = (REAL)settings->momentum, share = (REAL)(1 - settings->dampening);
    if (!v) {
        for (ptrdiff_t i = 0; i < count; i++)
            w[i] -= lr * (g[i] + decay * w[i]);
    } else if (settings->first) {
        const REAL more = settings->nesterov ? 1 + momentum : 1;
        for (ptrdiff_t i = 0; i < count; i++) {
            v[i] = g[i] + decay * w[i];
            w[i] -= lr * (more * v[i]);
        }
    } else if (settings->nesterov) {
        for (ptrdiff_t i = 0; i < count; i++) {
            const REAL slope = g[i] + decay * w[i];
            v[i] = momentum * v[i] + slope;
            w[i] -= lr * (slope + momentum * v[i]);
        }
    } else {
        for (ptrdiff_t i = 0; i < count; i++) {
            v[i] = momentum * v[i] + share * (g[i] + decay * w[i]);
            w[i] -= lr * v[i];
        }
    }
}

static void NAME(adam)(char *values, const char *gradient, char *mean, char *square,
                       ptrdiff_t count, const cf_adam *settings)
{
    REAL *restrict const w = (REAL *)values;
    REAL *restrict const m = (REAL *)mean;
    REAL *restrict const v = (REAL *)square;
    const REAL *restrict const g = (const REAL *)gradient;
    const REAL rate = (REAL)settings->rate, root = (REAL)settings->root;
    const REAL decay = (REAL)settings->weight_decay, eps = (REAL)settings->eps;
    const REAL b1 = (REAL)settings->beta1, c1 = (REAL)(1 - settings->beta1);
    const REAL b2 = (REAL)settings->beta2, c2 = (REAL)(1 - settings->beta2);
    for (ptrdiff_t i = 0; i < count; i++) {
        const REAL slope = g[i] + decay * w[i];
        m[i] = b1 * m[i] + c1 * slope;
        v[i] = b2 * v[i] + c2 * (slope * slope);
        w[i] -= rate * (m[i] / (SQUARE_ROOT(v[i]) / root + eps));
    }
}
