"""Random-number law on the host: messages, domain keys, and the templates that kernels hash on the device."""
