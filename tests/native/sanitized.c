/* Runs every path, type, source and length over exactly as much memory as it is given; built with sanitizers. */
#include <stdio.h>
#include <stdlib.h>

#include "kquants.h"

int lorag_kquants_supports(int isa);
int lorag_kquants_block(int type);
int64_t lorag_kquants(int isa, int type, const void *source, int kind, const float *delta, float scale, int round,
                      int64_t n, void *out);

static uint32_t state = 1;

static uint32_t next(void) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

/* Finite values of a kind: plain, of any bits, denormal, huge, mostly zero, constant. */
static float value(int manner) {
    const float plain = (float)(next() % 2001) / 1000.f - 1.f;
    const float any = float_of(next());
    switch (manner) {
    case 0: return plain;
    case 1: return isfinite(any) ? any : 0.f;
    case 2: return plain * 1e-39f;
    case 3: return plain * 3e38f;
    case 4: return next() % 20 ? 0.f : plain;
    default: return -0.37f;
    }
}

static void run(int isa, int type, int64_t n, int manner) {
    static const int64_t bytes[] = {[TYPE_F16] = 64, [TYPE_Q8_0] = 34, [TYPE_Q3_K] = 110, [TYPE_Q4_K] = 144,
                                    [TYPE_Q5_K] = 176, [TYPE_Q6_K] = 210};
    const int64_t size = n / lorag_kquants_block(type) * bytes[type];
    float *wide = malloc(sizeof(float) * (size_t)n), *delta = malloc(sizeof(float) * (size_t)n);
    uint16_t *half = malloc(sizeof(uint16_t) * (size_t)n), *brain = malloc(sizeof(uint16_t) * (size_t)n);
    uint8_t *out = malloc((size_t)size);
    for (int64_t i = 0; i < n; ++i) {
        wide[i] = value(manner);
        delta[i] = value(0);
        half[i] = float_to_half(value(0));
        brain[i] = (uint16_t)(bits_of(value(0)) >> 16);
    }
    int good = lorag_kquants(isa, type, wide, SOURCE_F32, NULL, 0.f, 0, n, out) == size;
    good &= lorag_kquants(isa, type, half, SOURCE_F16, delta, 0.5f, 1, n, out) == size;
    good &= lorag_kquants(isa, type, brain, SOURCE_BF16, delta, 2.f, 1, n, out) == size;
    wide[n - 1] = INFINITY;
    good &= lorag_kquants(isa, type, wide, SOURCE_F32, NULL, 0.f, 0, n, out) < 0;
    free(wide);
    free(delta);
    free(half);
    free(brain);
    free(out);
    if (!good) {
        fprintf(stderr, "path %d, type %d, %lld elements, manner %d: wrong size\n", isa, type, (long long)n, manner);
        exit(1);
    }
}

int main(void) {
    static const int types[] = {TYPE_F16, TYPE_Q8_0, TYPE_Q3_K, TYPE_Q4_K, TYPE_Q5_K, TYPE_Q6_K};
    static const int64_t lengths[] = {256, 768, 1024, 1280, 5120};
    int paths = 0;
    for (int isa = 0; isa < 3; ++isa) {
        if (!lorag_kquants_supports(isa)) continue;
        ++paths;
        for (size_t t = 0; t < sizeof types / sizeof *types; ++t)
            for (size_t l = 0; l < sizeof lengths / sizeof *lengths; ++l)
                for (int manner = 0; manner < 6; ++manner) run(isa, types[t], lengths[l], manner);
    }
    printf("%d paths clean\n", paths);
    return 0;
}
