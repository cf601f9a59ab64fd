/* What the instruction sets' files share: the chunk, half floats, ggml's rounding, and the table of kernels. */
#pragma once
#include <math.h>
#include <stdint.h>
#include <string.h>

/* Elements that one call of a kernel takes: a whole number of blocks of every type. */
#define CHUNK 1024
/* ggml takes a block whose largest weight is below this for zero. */
#define NOTHING 1e-15f

enum source { SOURCE_F32, SOURCE_F16, SOURCE_BF16 };

/* What `load` saw. */
enum loaded { NOT_FINITE, FINITE, ALL_ZERO };

/* ggml's numbers of types. */
enum type { TYPE_F32 = 0, TYPE_F16 = 1, TYPE_Q8_0 = 8, TYPE_Q3_K = 11, TYPE_Q4_K = 12, TYPE_Q5_K = 13, TYPE_Q6_K = 14 };

/* One instruction set. `load` turns `n` source elements (at most CHUNK, a multiple of 32) into float32: where `delta` is
 * not NULL, half(half(source) + delta * scale), else half(source) where `round`.
 * The others turn CHUNK float32 into blocks. */
struct kernels {
    enum loaded (*load)(const void *source, enum source kind, const float *delta, float scale, int round, float *out, int n);
    void (*q3_k)(const float *x, uint8_t *out);
    void (*q4_k)(const float *x, uint8_t *out);
    void (*q5_k)(const float *x, uint8_t *out);
    void (*q6_k)(const float *x, uint8_t *out);
    void (*q8_0)(const float *x, uint8_t *out);
    void (*f16)(const float *x, uint8_t *out);
};

extern const struct kernels kernels_scalar, kernels_avx2, kernels_avx512;

static inline float float_of(uint32_t bits) {
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline uint32_t bits_of(float f) {
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

/* ggml's rounding: adding 1.5 * 2^23 leaves the nearest integer in the mantissa. Beyond +-2^22 the result is some number
 * that depends on the bits alone, and so is the same here. */
static inline int nearest_int(float f) { return (int)(bits_of(f + 12582912.f) & 0x007fffff) - 0x00400000; }

/* IEEE binary16, to nearest, ties to even; NaN becomes a quiet NaN. */
static inline uint16_t float_to_half(float f) {
    const uint32_t bits = bits_of(f), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) return (uint16_t)(sign | 0x7e00);
    if (magnitude >= 0x477ff000) return (uint16_t)(sign | 0x7c00);
    if (magnitude < 0x38800000) {
        /* Below 2^-14: adding 0.5 puts the units of 2^-24 at the end of the mantissa, rounded. */
        return (uint16_t)(sign | (bits_of(float_of(magnitude) + 0.5f) - bits_of(0.5f)));
    }
    return (uint16_t)(sign | ((magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1)) >> 13));
}

static inline float half_to_float(uint16_t half) {
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16, magnitude = half & 0x7fff;
    if (magnitude >= 0x7c00) return float_of(sign | 0x7f800000 | (magnitude & 0x3ff) << 13);
    if (magnitude < 0x0400) return float_of(sign | bits_of((float)magnitude * 0x1p-24f));
    return float_of(sign | ((magnitude << 13) + 0x38000000));
}

static inline void put_half(uint8_t *out, float value) {
    const uint16_t half = float_to_half(value);
    memcpy(out, &half, sizeof half);
}

static inline float get_half(const uint8_t *in) {
    uint16_t half;
    memcpy(&half, in, sizeof half);
    return half_to_float(half);
}
