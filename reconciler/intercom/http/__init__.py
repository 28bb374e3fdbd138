"""One call over HTTP: the request, the limit, the answer, and every way in which it can fail."""
