"""Work that Amazon does later, one after another: feeds and reports share their life and their lists."""
