/* ggml's search for the scales of K-quants, one lane a sub-block.
 *
 * The algorithms are ggml's (`make_qkx2_quants`, `make_qx_quants`, `make_q3_quants` of ggml-quants.c; MIT, see NOTICE).
 * ggml goes through the elements of one sub-block after another; here a vector holds the same element of LANES
 * sub-blocks, so every lane adds, multiplies and compares in ggml's order and arrives at ggml's bits. Hence also: no
 * fused multiply-add anywhere (-ffp-contract=off), and branches are masks.
 *
 * A lanes_*.h defines the vector types `vf` (float), `vi` (int32), `vm` (mask) and, with the prefix `v_`: set, load,
 * store; lesser (a < b ? a : b), greater (a > b ? a : b), absolute, root; gt, eq; both, but (a and not b), any; pick (m ?
 * a : b); whole (to the nearest integer), nearest (ggml's nearest_int), from_int, clamp, plus, store_bytes, round_away;
 * load_f16, load_bf16, as_f16, store_f16. Operators work on `vf` as on float.
 *
 * Elements are transposed first: `t[i * WIDTH + lane]` is element i of sub-block `lane`.
 */

/* Sub-blocks searched at a time: more than a vector of them, so that the sums' latencies overlap. */
#define WIDTH (UNROLL * LANES)
#define EACH for (int u = 0; u < UNROLL; ++u)

/* What a search found for each of its sub-blocks. `factor` and `origin` give the levels that it settled on:
 * clamp(nearest(factor * (x - origin))). They matter only where the final scale comes out as zero. A factor of zero means
 * that all levels are zero. */
struct found {
    float scale[WIDTH], min[WIDTH], factor[WIDTH], origin[WIDTH];
};

FN void transpose(const float *x, int length, float *t) {
    for (int lane = 0; lane < WIDTH; ++lane)
        for (int i = 0; i < length; ++i) t[i * WIDTH + lane] = x[lane * length + i];
}

/* Where nearest_int is a rounding; beyond it some other number, which `exact` levels reproduce. */
#define TAME 4e6f

/* Levels of one vector: clamp(nearest(scaled)). */
FN vf level(vf scaled, vf low, vf high, int exact) {
    const vf l = exact ? v_from_int(v_nearest(scaled)) : v_whole(scaled);
    return v_lesser(v_greater(l, low), high);
}

/* The sums of one step, over the levels that factor and min give; these are left in `levels`. */
FN void step_sums(const float *t, const float *weights, const vf *factor, const vf *min, vf high, int exact, float *levels,
                  vf *sum_l, vf *sum_l2, vf *sum_xl) {
    const vf zero = v_set(0.f);
    EACH sum_l[u] = sum_l2[u] = sum_xl[u] = zero;
    for (int i = 0; i < 32; ++i) {
        EACH {
            const int at = i * WIDTH + u * LANES;
            const vf x = v_load(t + at), w = v_load(weights + at);
            const vf l = level(factor[u] * (x - min[u]), zero, high, exact), wl = w * l;
            v_store(levels + at, l);
            sum_l[u] += wl;
            sum_l2[u] += wl * l;
            sum_xl[u] += wl * x;
        }
    }
}

/* Scale and minimum of sub-blocks of 32, weights sqrt(mean square) + |x|; `found->min` is minus the minimum, never
 * negative. ggml's make_qkx2_quants with squared errors. */
FN void search_scale_and_min(const float *x, int nmax, float rmin, int steps, struct found *found) {
    const vf zero = v_set(0.f), one = v_set(1.f), high = v_set((float)nmax);
    float t[32 * WIDTH], weights[32 * WIDTH], levels[32 * WIDTH];
    transpose(x, 32, t);
    vf least[UNROLL], min[UNROLL], max[UNROLL], sum_w[UNROLL], sum_x[UNROLL], scale[UNROLL], best[UNROLL];
    vm busy[UNROLL];
    int work = 0;
    EACH {
        vf squares = zero;
        for (int i = 0; i < 32; ++i) {
            const vf a = v_load(t + i * WIDTH + u * LANES);
            squares += a * a;
        }
        const vf average = v_root(squares / v_set(32.f));
        least[u] = max[u] = v_load(t + u * LANES);
        for (int i = 0; i < 32; ++i) {
            const int at = i * WIDTH + u * LANES;
            const vf a = v_load(t + at), w = average + v_absolute(a), wa = w * a;
            v_store(weights + at, w);
            least[u] = v_lesser(a, least[u]);
            max[u] = v_greater(a, max[u]);
            /* Not from zero: the sum of a negative zero alone is a negative zero. */
            sum_w[u] = i == 0 ? w : (vf)(sum_w[u] + w);
            sum_x[u] = i == 0 ? wa : (vf)(sum_x[u] + wa);
        }
        min[u] = v_lesser(zero, least[u]);
        busy[u] = v_but(v_eq(zero, zero), v_eq(max[u], min[u]));
        work |= v_any(busy[u]);
        scale[u] = best[u] = zero;
        v_store(found->factor + u * LANES, zero);
    }
    /* The first fit is the plain one, from minimum to maximum. */
    if (work) EACH {
        const vf factor = high / (max[u] - min[u]);
        v_store(found->factor + u * LANES, v_pick(busy[u], factor, zero));
        v_store(found->origin + u * LANES, min[u]);
        const vf plain = one / factor;
        for (int i = 0; i < 32; ++i) {
            const int at = i * WIDTH + u * LANES;
            const vf a = v_load(t + at), l = level(factor * (a - min[u]), zero, high, 1);
            const vf difference = plain * l + min[u] - a;
            best[u] += v_load(weights + at) * (difference * difference);
        }
        scale[u] = v_pick(busy[u], plain, zero);
    }
    /* Then weighted least squares for growing numbers of levels, each from the best minimum so far. */
    for (int step = 0; step <= steps && work; ++step) {
        const vf wanted = v_set(rmin + 0.1f * (float)step + (float)nmax);
        vf factor[UNROLL], sum_l[UNROLL], sum_l2[UNROLL], sum_xl[UNROLL], this_scale[UNROLL], this_min[UNROLL];
        vf error[UNROLL];
        vm solvable[UNROLL];
        int wild = 0;
        EACH {
            factor[u] = wanted / (max[u] - min[u]);
            const vm bounded = v_both(v_gt(v_set(TAME), v_absolute(factor[u] * (max[u] - min[u]))),
                                      v_gt(v_set(TAME), v_absolute(factor[u] * (least[u] - min[u]))));
            wild |= v_any(v_but(busy[u], bounded));
        }
        if (wild)
            step_sums(t, weights, factor, min, high, 1, levels, sum_l, sum_l2, sum_xl);
        else
            step_sums(t, weights, factor, min, high, 0, levels, sum_l, sum_l2, sum_xl);
        EACH {
            const vf determinant = sum_w[u] * sum_l2[u] - sum_l[u] * sum_l[u];
            solvable[u] = v_both(v_gt(determinant, zero), busy[u]);
            this_scale[u] = (sum_w[u] * sum_xl[u] - sum_x[u] * sum_l[u]) / determinant;
            this_min[u] = (sum_l2[u] * sum_x[u] - sum_l[u] * sum_xl[u]) / determinant;
            const vm positive = v_gt(this_min[u], zero);
            this_scale[u] = v_pick(positive, sum_xl[u] / sum_l2[u], this_scale[u]);
            this_min[u] = v_pick(positive, zero, this_min[u]);
            error[u] = zero;
        }
        for (int i = 0; i < 32; ++i) {
            EACH {
                const int at = i * WIDTH + u * LANES;
                const vf difference = this_scale[u] * v_load(levels + at) + this_min[u] - v_load(t + at);
                error[u] += v_load(weights + at) * (difference * difference);
            }
        }
        EACH {
            const vm better = v_both(solvable[u], v_gt(best[u], error[u]));
            float *const at_factor = found->factor + u * LANES, *const at_origin = found->origin + u * LANES;
            v_store(at_factor, v_pick(better, factor[u], v_load(at_factor)));
            v_store(at_origin, v_pick(better, min[u], v_load(at_origin)));
            best[u] = v_pick(better, error[u], best[u]);
            scale[u] = v_pick(better, this_scale[u], scale[u]);
            min[u] = v_pick(better, this_min[u], min[u]);
        }
    }
    EACH {
        v_store(found->scale + u * LANES, scale[u]);
        v_store(found->min + u * LANES, -min[u]);
    }
}

/* The element of largest magnitude of each lane, sign and all, and that magnitude. */
FN void extremes(const float *t, int length, vf *extreme, vf *magnitude) {
    EACH {
        extreme[u] = magnitude[u] = v_set(0.f);
        for (int i = 0; i < length; ++i) {
            const vf a = v_load(t + i * WIDTH + u * LANES), size = v_absolute(a);
            const vm larger = v_gt(size, magnitude[u]);
            magnitude[u] = v_pick(larger, size, magnitude[u]);
            extreme[u] = v_pick(larger, a, extreme[u]);
        }
    }
}

/* Scale of sub-blocks of 16, weights x^2. ggml's make_qx_quants with rmse_type 1. A magnitude of NOTHING or more keeps
 * factor * x within +-(nmax + 1), so the rounding is always tame. */
FN void search_scale(const float *x, int nmax, struct found *found) {
    const vf zero = v_set(0.f), one = v_set(1.f), low = v_set((float)-nmax), high = v_set((float)(nmax - 1));
    float t[16 * WIDTH];
    transpose(x, 16, t);
    vf extreme[UNROLL], magnitude[UNROLL], scale[UNROLL], best[UNROLL], chosen[UNROLL];
    vm empty[UNROLL];
    int all_empty = 1;
    extremes(t, 16, extreme, magnitude);
    EACH {
        empty[u] = v_gt(v_set(NOTHING), magnitude[u]);
        all_empty &= !v_any(v_but(v_eq(zero, zero), empty[u]));
        extreme[u] = v_pick(empty[u], one, extreme[u]);
        scale[u] = best[u] = chosen[u] = zero;
    }
    /* Step 0 is the plain scale, which is taken whatever it gives; then ggml's order of the others. */
    for (int step = 0; step < 19 && !all_empty; ++step) {
        const int offset = step == 0 ? 0 : step <= 9 ? step - 10 : step - 9;
        const vf wanted = v_set(-((float)nmax + 0.1f * (float)offset));
        vf factor[UNROLL], sum_lx[UNROLL], sum_l2[UNROLL];
        EACH {
            factor[u] = wanted / extreme[u];
            sum_lx[u] = sum_l2[u] = zero;
        }
        for (int i = 0; i < 16; ++i) {
            EACH {
                const vf a = v_load(t + i * WIDTH + u * LANES), w = a * a;
                const vf l = level(factor[u] * a, low, high, 0);
                sum_lx[u] += w * a * l;
                sum_l2[u] += w * l * l;
            }
        }
        EACH {
            vm better;
            if (step == 0) {
                const vm none = v_eq(sum_l2[u], zero);
                scale[u] = v_pick(none, zero, sum_lx[u] / sum_l2[u]);
                best[u] = scale[u] * sum_lx[u];
                better = v_eq(zero, zero);
            } else {
                better = v_both(v_gt(sum_l2[u], zero), v_gt(sum_lx[u] * sum_lx[u], best[u] * sum_l2[u]));
                scale[u] = v_pick(better, sum_lx[u] / sum_l2[u], scale[u]);
                best[u] = v_pick(better, scale[u] * sum_lx[u], best[u]);
            }
            chosen[u] = v_pick(better, factor[u], chosen[u]);
        }
    }
    EACH {
        v_store(found->scale + u * LANES, v_pick(empty[u], zero, scale[u]));
        v_store(found->factor + u * LANES, v_pick(empty[u], zero, chosen[u]));
    }
}

/* Scale of sub-blocks of 16, each level in turn moved to where it lowers the error, five rounds at most (ggml's
 * make_q3_quants). `levels[i * WIDTH + lane]` are those that it settled on, from -nmax to nmax - 1. */
FN void search_scale_by_levels(const float *x, int nmax, struct found *found, float *levels) {
    const vf zero = v_set(0.f), one = v_set(1.f), low = v_set((float)-nmax), high = v_set((float)(nmax - 1));
    float t[16 * WIDTH];
    transpose(x, 16, t);
    vf extreme[UNROLL], magnitude[UNROLL], sum_lx[UNROLL], sum_l2[UNROLL];
    vm empty[UNROLL];
    int changed = 0;
    extremes(t, 16, extreme, magnitude);
    EACH {
        empty[u] = v_gt(v_set(NOTHING), magnitude[u]);
        changed |= v_any(v_but(v_eq(zero, zero), empty[u]));
        const vf factor = v_set((float)-nmax) / v_pick(empty[u], one, extreme[u]);
        sum_lx[u] = sum_l2[u] = zero;
        for (int i = 0; i < 16; ++i) {
            const int at = i * WIDTH + u * LANES;
            const vf a = v_load(t + at), w = a * a, l = level(factor * a, low, high, 0);
            v_store(levels + at, l);
            sum_lx[u] += w * a * l;
            sum_l2[u] += w * l * l;
        }
    }
    /* A round that moves nothing would be followed by its like, so lanes that are done may go on with the rest. */
    for (int round = 0; round < 5 && changed; ++round) {
        changed = 0;
        for (int i = 0; i < 16; ++i) {
            EACH {
                const int at = i * WIDTH + u * LANES;
                const vf a = v_load(t + at), w = a * a, wa = w * a, l = v_load(levels + at);
                vf lx = sum_lx[u] - wa * l, l2 = sum_l2[u] - w * l * l;
                const vf moved = v_lesser(v_greater(v_from_int(v_nearest(a * l2 / lx)), low), high);
                vm better = v_but(v_gt(lx, zero), v_eq(moved, l));
                lx += wa * moved;
                l2 += w * moved * moved;
                better = v_both(better, v_gt(l2, zero));
                better = v_but(v_both(better, v_gt(lx * lx * sum_l2[u], sum_lx[u] * sum_lx[u] * l2)), empty[u]);
                v_store(levels + at, v_pick(better, moved, l));
                sum_lx[u] = v_pick(better, lx, sum_lx[u]);
                sum_l2[u] = v_pick(better, l2, sum_l2[u]);
                changed |= v_any(better);
            }
        }
    }
    EACH {
        const vm some = v_but(v_gt(sum_l2[u], zero), empty[u]);
        v_store(found->scale + u * LANES, v_pick(some, sum_lx[u] / sum_l2[u], zero));
        v_store(found->factor + u * LANES, v_pick(empty[u], zero, one));
    }
}

/* Final levels of `length` elements of one sub-block: clamp(nearest((x + shift) / d)) + offset, as bytes. */
FN void final_levels(const float *x, int length, float shift, float d, int low, int high, int offset, uint8_t *out) {
    for (int i = 0; i < length; i += LANES) {
        const vi l = v_nearest((v_load(x + i) + v_set(shift)) / v_set(d));
        v_store_bytes(out + i, v_plus(v_clamp(l, low, high), offset));
    }
}

/* The levels that a search settled on, for sub-blocks whose final scale is zero. */
FN void searched_levels(const float *x, int length, float factor, float origin, int low, int high, int offset,
                        uint8_t *out) {
    if (factor == 0.f) {
        memset(out, 0, (size_t)length);
        return;
    }
    for (int i = 0; i < length; i += LANES) {
        const vi l = v_nearest(v_set(factor) * (v_load(x + i) - v_set(origin)));
        v_store_bytes(out + i, v_plus(v_clamp(l, low, high), offset));
    }
}
