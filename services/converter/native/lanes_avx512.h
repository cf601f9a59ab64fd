/* Sixteen lanes of AVX-512 (F, BW, VL, DQ). See search.h for what the names mean. */
#define ISA avx512
#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,f16c")))
#define LANES 16
#define UNROLL 2

typedef __m512 vf;
typedef __m512i vi;
typedef __mmask16 vm;

#define FN static inline TARGET __attribute__((always_inline))

FN vf v_set(float a) { return _mm512_set1_ps(a); }
FN vf v_load(const float *p) { return _mm512_loadu_ps(p); }
FN void v_store(float *p, vf a) { _mm512_storeu_ps(p, a); }
FN vf v_lesser(vf a, vf b) { return _mm512_min_ps(a, b); }
FN vf v_greater(vf a, vf b) { return _mm512_max_ps(a, b); }
FN vf v_absolute(vf a) { return _mm512_abs_ps(a); }
FN vf v_root(vf a) { return _mm512_sqrt_ps(a); }
FN vm v_gt(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
FN vm v_eq(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
FN vm v_both(vm a, vm b) { return a & b; }
FN vm v_but(vm a, vm b) { return a & (vm)~b; }
FN int v_any(vm a) { return a; }
FN vf v_pick(vm m, vf a, vf b) { return _mm512_mask_blend_ps(m, b, a); }
FN vf v_whole(vf a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
FN vi v_nearest(vf a) {
    const vi bits = _mm512_castps_si512(a + _mm512_set1_ps(12582912.f));
    return _mm512_sub_epi32(_mm512_and_si512(bits, _mm512_set1_epi32(0x007fffff)), _mm512_set1_epi32(0x00400000));
}
FN vf v_from_int(vi a) { return _mm512_cvtepi32_ps(a); }
FN vi v_clamp(vi a, int low, int high) {
    return _mm512_max_epi32(_mm512_set1_epi32(low), _mm512_min_epi32(_mm512_set1_epi32(high), a));
}
FN vi v_plus(vi a, int b) { return _mm512_add_epi32(a, _mm512_set1_epi32(b)); }
FN void v_store_bytes(uint8_t *p, vi a) { _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8(a)); }
FN vi v_round_away(vf a) {
    const vf sign = _mm512_and_ps(_mm512_set1_ps(-0.f), a);
    return _mm512_cvttps_epi32(a + _mm512_or_ps(sign, _mm512_set1_ps(0.49999997f)));
}
FN vf v_load_f16(const uint16_t *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }
FN vf v_load_bf16(const uint16_t *p) {
    const vi wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}
FN void v_store_f16(uint16_t *p, vf a) {
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}
FN vf v_as_f16(vf a) { return _mm512_cvtph_ps(_mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT)); }
