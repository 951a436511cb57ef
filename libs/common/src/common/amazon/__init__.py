"""Amazon's Selling Partner API: who may be called how often, with which token, and what the answers mean."""
