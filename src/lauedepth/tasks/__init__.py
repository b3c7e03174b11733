"""Files in, arrays through, files out: what the commands do."""
