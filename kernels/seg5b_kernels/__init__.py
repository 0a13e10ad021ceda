"""The kernels of seg5b: counter-based random numbers, portable functions, and one element function per kernel.

This package knows numba and nothing of the pipeline. Each kernel's body exists once, as an *element function* that
handles item ``i`` of its outputs from a named tuple of input arrays to a named tuple of output arrays. Beside it
stands a parallel CPU loop; `seg5b_kernels.cuda` wraps the same body in a CUDA launch. Only operations that are
correctly rounded on both targets are used, so both give the same bits (law L9).
"""
