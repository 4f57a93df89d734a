//! RTP streams in, RTP streams out: slots, layer selection, rewriting, repair, reports.
//!
//! Layer 3 of the house. One [`RoomRouter`] carries the media of one room on one shard. It is fed
//! plain (already authenticated and decrypted) RTP and RTCP with `now`, and answers through the
//! [`Egress`] the caller passes in, the events of [`RoomRouter::poll_event`] and the time of
//! [`RoomRouter::next_deadline`]. It knows no socket, crypto, clock, thread or lock.
//!
//! # What happens to a packet
//!
//! 1. [`RoomRouter::on_rtp`] binds its SSRC to a stream of the sender's session: by declared SSRC,
//!    else by MID (and RID; RRID for RTX). RFC 9143 §9.2, RFC 8852.
//! 2. It is accounted: transport-wide arrival, loss, jitter, gaps to ask again for. This happens for
//!    what is dropped in the next step as well, so that the sender's congestion control stays sane.
//! 3. What the participant's permits do not take is dropped *here*. RFC 3550 knows no mute; a muted
//!    participant's level is told in [`RtpRefused::muted`], and nothing of it travels on.
//! 4. The payload is stored once, in its layer's ring, under a dense number (padding and restarts of
//!    the sender leave no holes in it). The ring is retransmission cache and keyframe cache in one.
//! 5. Every leg (one slot of one receiver) that is attached to the layer gets it through
//!    [`Egress::rtp`]: header built, payload borrowed from the ring.
//!
//! # How the shard uses it
//!
//! - `RoomRouter::new`, then `set_participant`, `add_session` and so on as commands arrive; a permit
//!   that is withdrawn, a session that is removed, is out of every slot when the call returns.
//! - `on_rtp` and `on_rtcp` for each datagram; `on_timeout(now, egress)` when `next_deadline` has
//!   come; `poll_event` after each turn until `None`. Calls without an [`Egress`] may leave a deadline
//!   in the past: what takes the place of what they removed is found then.
//! - What [`RtpAccepted`] says about audio goes to the speaker detector; its verdict comes back by
//!   [`RoomRouter::set_active_speaker`], the director's by [`RoomRouter::set_programme`].
//! - [`Egress::rtp`] gets the payload in two pieces ([`EgressPayload`]): a short head that is this
//!   leg's own (a rewritten VP8 descriptor, the OSN of RTX) and a body shared by all legs. That
//!   keeps the copy per destination at one.
//! - `Egress` is called while the router is borrowed: it must only append to the shard's batch.
//!
//! # Limits
//!
//! A video layer's ring holds 512 packets and an audio layer's 64, each of the size of a datagram.
//! A stream remembers 128 missing packets and asks 10 times for each; a leg remembers 8 cuts and
//! answers a NACK once per round trip within a quarter of what it sends; a layer's publisher hears at
//! most two keyframe requests a second, whoever asks. What is refused at a limit is counted in
//! [`RouterCounters`].
//!
//! *Invariant*: on each outgoing SSRC an extended sequence number is given to [`Egress::rtp`] at most
//! once, and numbers have no holes but those that the publisher's own losses left.
//!
//! Nothing is allocated per packet once the streams are bound; rings are allocated when a permitted
//! stream is first bound and freed with the session or the permit.
//!
//! # What it does not do
//!
//! It knows no bandwidth: a slot takes the best layer that is live under its cap
//! ([`RoomRouter::set_layer_cap`]), and a burst at a cut is not paced. It decides neither who speaks
//! nor whose picture is on.

mod audio_slots;
mod binding;
mod bits;
mod egress;
mod event;
mod keyframe_span;
mod keyframes;
mod leg;
mod leg_list;
mod nack;
mod numbering;
mod ring;
mod room;
mod rx_stats;
mod slab;
mod source;
mod twcc;

pub use egress::{Egress, EgressPayload, LegAddress, MediaClass};
pub use event::{
    AudioPacket, MutedLevel, RouterCounters, RouterEvent, RtpAccepted, RtpRefused, SlotStats,
    SourceStats,
};
pub use room::{AddSession, RoomRouter, RouterConfig, RouterError, RouterSession};
