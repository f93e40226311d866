"""Foreign state_dict layouts: one file a source, each an invertible table of foreign and native names."""
