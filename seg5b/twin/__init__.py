"""The scalar twin: the laws of S1 to S4 a second time, in plain Python, sharing no code with what makes a run (law L10).

It reads the sealed policies by itself (`readings`), draws by itself (`randomness`, `numbers`, `laws`, `alias`; many places at
once: `vectors`) and reads nothing else: what it derives from is handed in.
"""
