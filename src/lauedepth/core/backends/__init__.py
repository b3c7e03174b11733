"""core/backends."""
