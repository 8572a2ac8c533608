"""kullback."""
