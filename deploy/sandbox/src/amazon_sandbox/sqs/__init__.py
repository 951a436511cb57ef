"""An SQS-compatible service: the queues that notifications arrive on, for any AWS client pointed at this server."""
