"""What is seen of the service from outside: a log line a request, metrics, and headers that protect readers.

`middleware` stands outermost and sees every request; what becomes known of one on its way is in its `record`.
"""
