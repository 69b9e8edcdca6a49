"""HTTP: routes, what stands in headers and queries, and the document that describes all of it."""
