/* One lane: plain C, for any processor. See search.h for what the names mean. */
#define ISA scalar
#define TARGET
#define LANES 1
#define UNROLL 1

typedef float vf;
typedef int32_t vi;
typedef int vm;

#define FN static inline __attribute__((always_inline))

FN vf v_set(float a) { return a; }
FN vf v_load(const float *p) { return *p; }
FN void v_store(float *p, vf a) { *p = a; }
FN vf v_lesser(vf a, vf b) { return a < b ? a : b; }
FN vf v_greater(vf a, vf b) { return a > b ? a : b; }
FN vf v_absolute(vf a) { return fabsf(a); }
FN vf v_root(vf a) { return sqrtf(a); }
FN vm v_gt(vf a, vf b) { return a > b; }
FN vm v_eq(vf a, vf b) { return a == b; }
FN vm v_both(vm a, vm b) { return a & b; }
FN vm v_but(vm a, vm b) { return a & !b; }
FN int v_any(vm a) { return a; }
FN vf v_pick(vm m, vf a, vf b) { return m ? a : b; }
FN vf v_whole(vf a) { return a + 12582912.f - 12582912.f; }
FN vi v_nearest(vf a) { return nearest_int(a); }
FN vf v_from_int(vi a) { return (float)a; }
FN vi v_clamp(vi a, int low, int high) { return a < low ? low : a > high ? high : a; }
FN vi v_plus(vi a, int b) { return a + b; }
FN void v_store_bytes(uint8_t *p, vi a) { *p = (uint8_t)a; }
/* Half away from zero, like roundf; 0x80000000 for what no int holds, like x86's conversion. */
FN vi v_round_away(vf a) {
    const float r = roundf(a);
    return r >= -2147483648.f && r < 2147483648.f ? (int32_t)r : INT32_MIN;
}
FN vf v_load_f16(const uint16_t *p) { return half_to_float(*p); }
FN vf v_load_bf16(const uint16_t *p) { return float_of((uint32_t)*p << 16); }
FN vf v_as_f16(vf a) { return half_to_float(float_to_half(a)); }
FN void v_store_f16(uint16_t *p, vf a) { *p = float_to_half(a); }
