"""`make demo`: the main job end to end on real parts, each step with its proof from Amazon's side or from Kafka."""
