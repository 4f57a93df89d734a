//! Counters, histograms, Prometheus encoding, log fields and redaction.
