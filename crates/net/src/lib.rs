//! Batched UDP: recvmmsg with GRO, sendmmsg with GSO.
