#include "kquants.h"
#if defined(__x86_64__)
#include <immintrin.h>
#include "lanes_avx2.h"
#include "search.h"
#include "blocks.h"
#endif
