"""Reports: how many workspaces are, as something to read."""
