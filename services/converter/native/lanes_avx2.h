/* Eight lanes of AVX2 (and F16C). See search.h for what the names mean. */
#define ISA avx2
#define TARGET __attribute__((target("avx2,f16c")))
#define LANES 8
#define UNROLL 2

typedef __m256 vf;
typedef __m256i vi;
typedef __m256 vm;

#define FN static inline TARGET __attribute__((always_inline))

FN vf v_set(float a) { return _mm256_set1_ps(a); }
FN vf v_load(const float *p) { return _mm256_loadu_ps(p); }
FN void v_store(float *p, vf a) { _mm256_storeu_ps(p, a); }
FN vf v_lesser(vf a, vf b) { return _mm256_min_ps(a, b); }
FN vf v_greater(vf a, vf b) { return _mm256_max_ps(a, b); }
FN vf v_absolute(vf a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.f), a); }
FN vf v_root(vf a) { return _mm256_sqrt_ps(a); }
FN vm v_gt(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_GT_OQ); }
FN vm v_eq(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_EQ_OQ); }
FN vm v_both(vm a, vm b) { return _mm256_and_ps(a, b); }
FN vm v_but(vm a, vm b) { return _mm256_andnot_ps(b, a); }
FN int v_any(vm a) { return _mm256_movemask_ps(a); }
FN vf v_pick(vm m, vf a, vf b) { return _mm256_blendv_ps(b, a, m); }
FN vf v_whole(vf a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
FN vi v_nearest(vf a) {
    const vi bits = _mm256_castps_si256(a + _mm256_set1_ps(12582912.f));
    return _mm256_sub_epi32(_mm256_and_si256(bits, _mm256_set1_epi32(0x007fffff)), _mm256_set1_epi32(0x00400000));
}
FN vf v_from_int(vi a) { return _mm256_cvtepi32_ps(a); }
FN vi v_clamp(vi a, int low, int high) {
    return _mm256_max_epi32(_mm256_set1_epi32(low), _mm256_min_epi32(_mm256_set1_epi32(high), a));
}
FN vi v_plus(vi a, int b) { return _mm256_add_epi32(a, _mm256_set1_epi32(b)); }
FN void v_store_bytes(uint8_t *p, vi a) {
    const vi low = _mm256_shuffle_epi8(a, _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
                                                           0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1));
    const __m128i bytes = _mm_unpacklo_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));
    _mm_storel_epi64((__m128i *)p, bytes);
}
FN vi v_round_away(vf a) {
    const vf sign = _mm256_and_ps(_mm256_set1_ps(-0.f), a);
    return _mm256_cvttps_epi32(a + _mm256_or_ps(sign, _mm256_set1_ps(0.49999997f)));
}
FN vf v_load_f16(const uint16_t *p) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)); }
FN vf v_load_bf16(const uint16_t *p) {
    const vi wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}
FN void v_store_f16(uint16_t *p, vf a) {
    _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}
FN vf v_as_f16(vf a) { return _mm256_cvtph_ps(_mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT)); }
