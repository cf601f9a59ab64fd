/* Blocks of each type from what the searches find: CHUNK float32 in, blocks out. The layouts are ggml's (ggml-common.h). */

#define KERNEL static TARGET

/* Scale and minimum of all sub-blocks of 32 in a chunk. */
FN void search_chunk_scale_and_min(const float *x, int nmax, float rmin, int steps, struct found *found) {
    for (int part = 0; part < CHUNK / 32 / WIDTH; ++part)
        search_scale_and_min(x + part * 32 * WIDTH, nmax, rmin, steps, found + part);
}

/* The part that Q4_K and Q5_K share: scales, minima and levels of one super-block. Writes `d`, `dmin` and 12 bytes of
 * scales; levels[256]. */
FN void scales_and_levels(const float *x, const struct found *found, int first, int nmax, uint8_t *out, uint8_t *levels) {
    float max_scale = 0, max_min = 0;
    for (int j = 0; j < 8; ++j) {
        const struct found *f = found + (first + j) / WIDTH;
        const int lane = (first + j) % WIDTH;
        if (f->scale[lane] > max_scale) max_scale = f->scale[lane];
        if (f->min[lane] > max_min) max_min = f->min[lane];
    }
    const float inv_scale = max_scale > 0 ? 63.f / max_scale : 0.f, inv_min = max_min > 0 ? 63.f / max_min : 0.f;
    put_half(out, max_scale / 63.f);
    put_half(out + 2, max_min / 63.f);
    const float d = get_half(out), dmin = get_half(out + 2);
    uint8_t *const scales = out + 4;
    memset(scales, 0, 12);
    for (int j = 0; j < 8; ++j) {
        const struct found *f = found + (first + j) / WIDTH;
        const int lane = (first + j) % WIDTH;
        uint8_t ls = (uint8_t)nearest_int(inv_scale * f->scale[lane]), lm = (uint8_t)nearest_int(inv_min * f->min[lane]);
        ls = ls > 63 ? 63 : ls;
        lm = lm > 63 ? 63 : lm;
        if (j < 4) {
            scales[j] |= ls;
            scales[j + 4] |= lm;
        } else {
            scales[j + 4] = (uint8_t)((ls & 0xf) | (lm & 0xf) << 4);
            scales[j - 4] |= (uint8_t)(ls >> 4 << 6);
            scales[j] |= (uint8_t)(lm >> 4 << 6);
        }
        const float scale = d * (float)ls;
        if (scale != 0.f)
            final_levels(x + 32 * j, 32, dmin * (float)lm, scale, 0, nmax, 0, levels + 32 * j);
        else
            searched_levels(x + 32 * j, 32, f->factor[lane], f->origin[lane], 0, nmax, 0, levels + 32 * j);
    }
}

KERNEL void q4_k(const float *x, uint8_t *out) {
    struct found found[CHUNK / 32 / WIDTH];
    search_chunk_scale_and_min(x, 15, -1.f, 20, found);
    for (int block = 0; block < CHUNK / 256; ++block, x += 256, out += 144) {
        uint8_t levels[256];
        scales_and_levels(x, found, block * 8, 15, out, levels);
        uint8_t *const qs = out + 16;
        for (int j = 0; j < 4; ++j)
            for (int l = 0; l < 32; ++l) qs[32 * j + l] = (uint8_t)(levels[64 * j + l] | levels[64 * j + l + 32] << 4);
    }
}

KERNEL void q5_k(const float *x, uint8_t *out) {
    struct found found[CHUNK / 32 / WIDTH];
    search_chunk_scale_and_min(x, 31, -0.5f, 15, found);
    for (int block = 0; block < CHUNK / 256; ++block, x += 256, out += 176) {
        uint8_t levels[256];
        scales_and_levels(x, found, block * 8, 31, out, levels);
        uint8_t *const qh = out + 16, *const qs = out + 48;
        memset(qh, 0, 32);
        for (int j = 0; j < 4; ++j) {
            for (int l = 0; l < 32; ++l) {
                const uint8_t a = levels[64 * j + l], b = levels[64 * j + l + 32];
                qs[32 * j + l] = (uint8_t)((a & 0xf) | (b & 0xf) << 4);
                qh[l] |= (uint8_t)((a >> 4 | b >> 4 << 1) << 2 * j);
            }
        }
    }
}

/* Writes d, the scales as bytes and levels[256] of one super-block of Q6_K; 0 when it is all zero. */
FN int q6_scales_and_levels(const float *x, const struct found *found, int first, uint8_t *scales, uint8_t *d_out,
                            uint8_t *levels) {
    float max_scale = 0, max_size = 0;
    for (int j = 0; j < 16; ++j) {
        const float scale = found[(first + j) / WIDTH].scale[(first + j) % WIDTH], size = fabsf(scale);
        if (size > max_size) {
            max_size = size;
            max_scale = scale;
        }
    }
    if (max_size < NOTHING) return 0;
    const float inverse = -128.f / max_scale;
    put_half(d_out, 1 / inverse);
    const float d = get_half(d_out);
    for (int j = 0; j < 16; ++j) {
        const struct found *f = found + (first + j) / WIDTH;
        const int lane = (first + j) % WIDTH;
        const int s = nearest_int(inverse * f->scale[lane]);
        scales[j] = (uint8_t)(s < 127 ? s : 127);
        const float scale = d * (float)(int8_t)scales[j];
        if (scale != 0.f)
            final_levels(x + 16 * j, 16, 0.f, scale, -32, 31, 32, levels + 16 * j);
        else
            searched_levels(x + 16 * j, 16, f->factor[lane], 0.f, -32, 31, 32, levels + 16 * j);
    }
    return 1;
}

KERNEL void q6_k(const float *x, uint8_t *out) {
    struct found found[CHUNK / 16 / WIDTH];
    for (int part = 0; part < CHUNK / 16 / WIDTH; ++part) search_scale(x + part * 16 * WIDTH, 32, found + part);
    for (int block = 0; block < CHUNK / 256; ++block, x += 256, out += 210) {
        uint8_t levels[256];
        if (!q6_scales_and_levels(x, found, block * 16, out + 192, out + 208, levels)) {
            memset(out, 0, 210);
            continue;
        }
        for (int j = 0; j < 2; ++j) {
            uint8_t *const ql = out + 64 * j, *const qh = out + 128 + 32 * j;
            for (int l = 0; l < 32; ++l) {
                const uint8_t a = levels[128 * j + l], b = levels[128 * j + l + 32], c = levels[128 * j + l + 64],
                              e = levels[128 * j + l + 96];
                ql[l] = (uint8_t)((a & 0xf) | c << 4);
                ql[l + 32] = (uint8_t)((b & 0xf) | e << 4);
                qh[l] = (uint8_t)(a >> 4 | b >> 4 << 2 | c >> 4 << 4 | e >> 4 << 6);
            }
        }
    }
}

/* Writes d, the 6-bit scales packed into 12 bytes, and levels[256] of one super-block of Q3_K. */
FN void q3_scales_and_levels(const float *x, const struct found *found, const float *searched, int first, uint8_t *scales,
                             uint8_t *d_out, uint8_t *levels) {
    float max_scale = 0, max_size = 0;
    for (int j = 0; j < 16; ++j) {
        const float scale = found[(first + j) / WIDTH].scale[(first + j) % WIDTH], size = fabsf(scale);
        if (size > max_size) {
            max_size = size;
            max_scale = scale;
        }
    }
    const float inverse = -32.f / max_scale;
    put_half(d_out, max_scale != 0.f ? 1 / inverse : 0.f);
    const float d = get_half(d_out);
    memset(scales, 0, 12);
    for (int j = 0; j < 16; ++j) {
        const int part = (first + j) / WIDTH, lane = (first + j) % WIDTH;
        int s = -32;
        if (max_scale != 0.f) {
            s = (int8_t)nearest_int(inverse * found[part].scale[lane]);
            s = s < -32 ? -32 : s > 31 ? 31 : s;
            const int l = s + 32;
            scales[j % 8] |= (uint8_t)((l & 0xf) << (j < 8 ? 0 : 4));
            scales[8 + j % 4] |= (uint8_t)(l >> 4 << 2 * (j / 4));
        }
        const float scale = d * (float)s;
        if (scale != 0.f) {
            final_levels(x + 16 * j, 16, 0.f, scale, -4, 3, 4, levels + 16 * j);
        } else {
            const int empty = found[part].factor[lane] == 0.f;
            for (int i = 0; i < 16; ++i)
                levels[16 * j + i] = empty ? 0 : (uint8_t)((int)searched[(part * 16 + i) * WIDTH + lane] + 4);
        }
    }
}

KERNEL void q3_k(const float *x, uint8_t *out) {
    struct found found[CHUNK / 16 / WIDTH];
    float searched[CHUNK];
    for (int part = 0; part < CHUNK / 16 / WIDTH; ++part)
        search_scale_by_levels(x + part * 16 * WIDTH, 4, found + part, searched + part * 16 * WIDTH);
    for (int block = 0; block < CHUNK / 256; ++block, x += 256, out += 110) {
        uint8_t levels[256], *const hmask = out, *const qs = out + 32;
        q3_scales_and_levels(x, found, searched, block * 16, out + 96, out + 108, levels);
        memset(hmask, 0, 32);
        for (int j = 0; j < 8; ++j)
            for (int l = 0; l < 32; ++l) hmask[l] |= (uint8_t)((levels[32 * j + l] >> 2) << j);
        for (int j = 0; j < 2; ++j) {
            const uint8_t *const a = levels + 128 * j;
            for (int l = 0; l < 32; ++l)
                qs[32 * j + l] = (uint8_t)((a[l] & 3) | (a[l + 32] & 3) << 2 | (a[l + 64] & 3) << 4 | (a[l + 96] & 3) << 6);
        }
    }
}

KERNEL void q8_0(const float *x, uint8_t *out) {
    for (int block = 0; block < CHUNK / 32; ++block, x += 32, out += 34) {
        vf most = v_set(0.f);
        for (int i = 0; i < 32; i += LANES) most = v_greater(most, v_absolute(v_load(x + i)));
        float lanes[LANES], largest = 0.f;
        v_store(lanes, most);
        for (int lane = 0; lane < LANES; ++lane) largest = largest > lanes[lane] ? largest : lanes[lane];
        const float d = largest / 127, inverse = d != 0.f ? 1.0f / d : 0.0f;
        put_half(out, d);
        for (int i = 0; i < 32; i += LANES)
            v_store_bytes(out + 2 + i, v_round_away(v_load(x + i) * v_set(inverse)));
    }
}

KERNEL void f16(const float *x, uint8_t *out) {
    for (int i = 0; i < CHUNK; i += LANES) {
        uint16_t half[LANES];
        v_store_f16(half, v_load(x + i));
        memcpy(out + 2 * i, half, sizeof half);
    }
}

KERNEL enum loaded load(const void *source, enum source kind, const float *delta, float scale, int round, float *out, int n) {
    vf bad = v_set(0.f), most = v_set(0.f);
    for (int i = 0; i < n; i += LANES) {
        vf a = kind == SOURCE_F32   ? v_load((const float *)source + i)
               : kind == SOURCE_F16 ? v_load_f16((const uint16_t *)source + i)
                                    : v_load_bf16((const uint16_t *)source + i);
        if ((round || delta) && kind != SOURCE_F16) a = v_as_f16(a);
        if (delta) a = v_as_f16(a + v_load(delta + i) * v_set(scale));
        v_store(out + i, a);
        /* Zero times a finite number is zero, and NaN otherwise. */
        bad += a * v_set(0.f);
        most = v_greater(v_absolute(a), most);
    }
    if (v_any(v_but(v_eq(v_set(0.f), v_set(0.f)), v_eq(bad, bad)))) return NOT_FINITE;
    return v_any(v_gt(most, v_set(0.f))) ? FINITE : ALL_ZERO;
}

#define TABLE(isa) TABLE_OF(isa)
#define TABLE_OF(isa) kernels_##isa
const struct kernels TABLE(ISA) = {load, q3_k, q4_k, q5_k, q6_k, q8_0, f16};
