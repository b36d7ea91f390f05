#include "kernels.h"

const cf_isa *const *cf_supported_isas(void)
{
    static const cf_isa *found[4];
    int n = 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        found[n++] = &cf_isa__avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        found[n++] = &cf_isa__avx2;
#elif defined(__aarch64__)
    found[n++] = &cf_isa__neon;
#endif
    found[n++] = &cf_isa__baseline;
    found[n] = NULL;
    return found;
}

const char *cf_compiler(void)
{
#if defined(__clang__)
    return __VERSION__;
#else
    return "GCC " __VERSION__;
#endif
}
