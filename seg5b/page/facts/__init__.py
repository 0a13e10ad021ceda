"""What the page shows, as small frozen records: each file measures one subject by SQL over published Parquet.

Sums that threads add in any order are sums of integers, so that the same run gives the same page to the byte.
"""
