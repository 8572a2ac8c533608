"""Opening files, frames and relations safely in DuckDB: the one door for every room that reads tables."""
