//! RTP, RTCP and payload-descriptor wire formats: parse, view, rewrite in place.
