"""Every event on Kafka and the one internal HTTP answer, defined once for all services. No transport here."""
