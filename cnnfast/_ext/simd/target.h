/* Compile the functions between BEGIN and END for an instruction set beyond the machine's baseline.
 * A macro cannot be quoted inside a GCC pragma string, hence the two layers. */
#define CF_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define CF_TARGET_BEGIN(isa)                                                                       \
    CF_PRAGMA(clang attribute push(__attribute__((target(isa))), apply_to = function))
#define CF_TARGET_END _Pragma("clang attribute pop")
#else
#define CF_TARGET_BEGIN(isa) CF_PRAGMA(GCC push_options) CF_PRAGMA(GCC target(isa))
#define CF_TARGET_END _Pragma("GCC pop_options")
#endif
