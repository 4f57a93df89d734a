//! The DTLS server side of one endpoint.
