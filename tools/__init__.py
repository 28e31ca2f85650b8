"""Programs for those who carry the product on: pictures and measurements."""
