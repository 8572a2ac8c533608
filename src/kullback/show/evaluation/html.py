"""An evaluation as a page and as a notebook fragment."""
