"""Speed as ratios: each bench measures ours beside a ceiling in the same run. `make bench` runs them all."""
