//! The binary and the embeddable library.
