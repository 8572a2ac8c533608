"""Tables: an engine counts rows per cell, and everything else is made from the counts."""
