"""Channel listings: what each channel shall show, how it is linked to Amazon, and what Amazon shows."""
