//! ICE-lite, DTLS and SRTP for one endpoint.
