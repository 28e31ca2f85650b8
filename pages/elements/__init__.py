"""What the pages share; nothing in here is a page of its own."""
