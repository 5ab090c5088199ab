"""What asv measures to compare commits; `asv.conf.json` says in which environments."""
