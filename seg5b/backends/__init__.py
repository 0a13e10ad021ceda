"""Where arrays live and kernels run: the CPU, or one CUDA device."""
