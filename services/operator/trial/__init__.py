"""What would happen: the whole pipeline on one mail, or on the archive, without writing anything."""
