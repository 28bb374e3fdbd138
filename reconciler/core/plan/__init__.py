"""The plan: changes in order, compiled to calls, held against the gates, written as a document. Pure."""
