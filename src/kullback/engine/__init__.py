"""Opening files safely in DuckDB: the one door for every room that reads tables."""

from kullback.tables.session import Session, plainly
from kullback.tables.sources import Scan, open_source

__all__ = ["Scan", "Session", "open_source", "plainly"]
