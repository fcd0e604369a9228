"""FuseMax (MICRO 2024, arXiv 2406.10491): attention unfused, as FLAT has it and in three steps to FuseMax, of four models."""
