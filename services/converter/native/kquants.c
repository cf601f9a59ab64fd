/* The library's face: which instruction sets there are, and rows to blocks. */
#include <stddef.h>

#include "kquants.h"

#if defined(__x86_64__)
#define HAS_AVX2 (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("f16c"))
#define HAS_AVX512                                                                                                     \
    (HAS_AVX2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&                            \
     __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
#endif

enum isa { SCALAR, AVX2, AVX512 };

/* Whether this machine runs an instruction set. */
int lorag_kquants_supports(int isa) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    return isa == AVX512 ? HAS_AVX512 : isa == AVX2 ? HAS_AVX2 : isa == SCALAR;
#else
    return isa == SCALAR;
#endif
}

static const struct kernels *kernels_of(int isa) {
#if defined(__x86_64__)
    if (isa == AVX512) return &kernels_avx512;
    if (isa == AVX2) return &kernels_avx2;
#endif
    return &kernels_scalar;
}

struct shape {
    int elements, bytes;
};

static struct shape block_of(int type) {
    switch (type) {
    case TYPE_F16: return (struct shape){32, 64};
    case TYPE_Q8_0: return (struct shape){32, 34};
    case TYPE_Q3_K: return (struct shape){256, 110};
    case TYPE_Q4_K: return (struct shape){256, 144};
    case TYPE_Q5_K: return (struct shape){256, 176};
    case TYPE_Q6_K: return (struct shape){256, 210};
    default: return (struct shape){0, 0};
    }
}

static void (*kernel_of(const struct kernels *k, int type))(const float *, uint8_t *) {
    switch (type) {
    case TYPE_Q8_0: return k->q8_0;
    case TYPE_Q3_K: return k->q3_k;
    case TYPE_Q4_K: return k->q4_k;
    case TYPE_Q5_K: return k->q5_k;
    case TYPE_Q6_K: return k->q6_k;
    default: return k->f16;
    }
}

/* Elements in a block of a type, 0 for a type that this library does not know. */
int lorag_kquants_block(int type) { return block_of(type).elements; }

/* Turns `n` elements (whole blocks) into blocks at `out`. With `delta` (n float32) and in float16 arithmetic: the source
 * rounded to half, plus delta * scale, rounded to half. `round` alone rounds the source to half.
 *
 * Returns the number of bytes written; -1 - i when a value of the chunk that starts at element i is NaN, infinite or
 * beyond half's range; 0 for a type, instruction set or length that is not known. */
int64_t lorag_kquants(int isa, int type, const void *source, int kind, const float *delta, float scale, int round,
                      int64_t n, void *out) {
    const struct shape block = block_of(type);
    if (block.elements == 0 || n <= 0 || n % block.elements || !lorag_kquants_supports(isa)) return 0;
    const struct kernels *const k = kernels_of(isa);
    void (*const kernel)(const float *, uint8_t *) = kernel_of(k, type);
    const int width = kind == SOURCE_F32 ? 4 : 2;
    const int64_t bytes_per_chunk = (int64_t)CHUNK / block.elements * block.bytes;
    uint8_t *at = out;
    float x[CHUNK];
    /* Zeros are common (padding, pruned weights) and always give the same blocks, which are made once. */
    uint8_t zeros[CHUNK * 2];
    int have_zeros = 0;
    for (int64_t i = 0; i < n; i += CHUNK) {
        const int count = n - i < CHUNK ? (int)(n - i) : CHUNK;
        const void *const from = (const char *)source + i * width;
        const enum loaded seen = k->load(from, kind, delta ? delta + i : NULL, scale, round, x, count);
        if (seen == NOT_FINITE) return -1 - i;
        if (count == CHUNK && seen == ALL_ZERO && type != TYPE_F16) {
            if (!have_zeros) kernel(x, zeros);
            have_zeros = 1;
            memcpy(at, zeros, (size_t)bytes_per_chunk);
            at += bytes_per_chunk;
        } else if (count == CHUNK) {
            kernel(x, at);
            at += bytes_per_chunk;
        } else {
            uint8_t last[CHUNK * 2];
            memset(x + count, 0, sizeof(float) * (size_t)(CHUNK - count));
            kernel(x, last);
            memcpy(at, last, (size_t)(count / block.elements * block.bytes));
            at += count / block.elements * block.bytes;
        }
    }
    return at - (uint8_t *)out;
}
