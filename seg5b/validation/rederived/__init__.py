"""Factors, counts and arrivals derived again from the sealed inputs by the scalar twin, and compared with what was published
(laws L10, L11): places that are aimed at, or everything."""
