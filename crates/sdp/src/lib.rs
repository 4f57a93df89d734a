//! SDP and our one narrow offer/answer.
