"""The laws once more, in plain Python and without any code of the product: what tests compare with."""
