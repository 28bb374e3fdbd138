"""Many workspaces: their manifests and tokens, in waves, on an engine that starts and stops their jobs."""
