"""The endpoints of the sandbox, a file for each part of the API."""
