"""What leaves the store for other programs: analysis sets under ADaM names, templates, tables as files."""
