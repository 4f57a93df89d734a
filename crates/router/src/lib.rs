//! RTP streams in, RTP streams out: slots, layer selection, rewriting, repair, reports.
