"""What 5B reads row by row from upstream, as arrays: surfaces, profiles, routing tables."""
