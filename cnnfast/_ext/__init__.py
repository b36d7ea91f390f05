"""The compiled part of cnnfast: loop nests in Cython over vector arithmetic in C.

    columns    im2col and col2im                 dispatch   the instruction set, chosen at import
    conv       convolution and its gradients     threads    the only door to the thread pool
    pool       pooling and its routing           simd/      microkernels, one C template each

Nothing here validates: `cnnfast.functional` does, once, and is the only caller.
"""
