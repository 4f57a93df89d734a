//! One client's place in a room: what the WebSocket, WHIP and WHEP hold.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use estrade_room::{Actor, Applied, Command, Event, RoomView};
use estrade_sdp::{AnswerParams, IceFragment, Negotiated, Offer, Profile, negotiate};
use estrade_types::limits::TX_SECTIONS_MAX;
use estrade_types::{
    CloseReason, Fingerprint, LinkKind, OpenSession, ParticipantId, ParticipantKey, Permits,
    RoomId, SessionId, SlotId, SourceKind, Ssrc,
};

use crate::DirectoryError;
use crate::clock::{random, random_name};
use crate::inbox::Fact;
use crate::notices::NoticeReceiver;
use crate::registry::{Presence, RoomHandle};
use crate::task::{ActCall, DataCall, OpenCall, Reply, RestartCall, Restarted, RoomCall};

/// Thumbnail slots a client may have; further sections are answered inactive.
const THUMBNAILS_MAX: u8 = 9;

/// A message between clients, or from the app to clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataMessage {
    /// Who sent it; `None` for the app.
    pub from: Option<ParticipantId>,
    /// App-defined, at most 64 bytes.
    pub topic: String,
    /// Text or encoded bytes, at most [`estrade_types::limits::DATA_MESSAGE_BYTES_MAX`].
    pub payload: String,
}

/// One of those who speak now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpeakingNotice {
    /// Who.
    pub participant: ParticipantId,
    /// Volume, 0 to 127; larger is louder.
    pub volume: u8,
}

/// What a client is told, in order.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ClientNotice {
    /// The room as it stands, first of all, and again after the client fell behind.
    Snapshot(Box<RoomView>),
    /// Something changed. Joins and leaves of listeners are not told above a limit.
    Event(Box<Event>),
    /// How many are in the audience; coalesced.
    AudienceCount(u32),
    /// Who speaks, loudest first; coalesced to ten a second.
    Speaking(Vec<SpeakingNotice>),
    /// One of this client's slots carries another source.
    Slot {
        /// The slot.
        slot: SlotId,
        /// What it carries.
        source: Option<(ParticipantId, SourceKind)>,
    },
    /// What the server takes from this client has changed.
    Permits(Permits),
    /// This client's media transport is up (`true`) or not yet.
    Connected(bool),
    /// This client speaks while its microphone is not taken.
    SpeakingWhileMuted,
    /// A data message.
    Data(DataMessage),
    /// The last notice: the session is over.
    Closed(CloseReason),
}

/// A client's place in a room. Dropping it is a lost connection; [`Client::leave`] is leaving.
///
/// Clients of WHIP and WHEP are told [`ClientNotice::Connected`] and [`ClientNotice::Closed`] only.
#[derive(Debug)]
pub struct Client {
    room: Arc<RoomHandle>,
    participant: ParticipantId,
    session: SessionId,
    link: LinkKind,
    resource: String,
    fingerprint: Fingerprint,
    timeout: Duration,
    notices: NoticeReceiver,
    presence: Arc<Presence>,
}

/// What a client is made of.
#[derive(Debug)]
pub(crate) struct ClientParts {
    pub(crate) room: Arc<RoomHandle>,
    pub(crate) participant: ParticipantId,
    pub(crate) session: SessionId,
    pub(crate) link: LinkKind,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) timeout: Duration,
    pub(crate) notices: NoticeReceiver,
    pub(crate) presence: Arc<Presence>,
}

impl Client {
    pub(crate) fn new(parts: ClientParts) -> Result<Self, DirectoryError> {
        let resource = random_name()?;
        parts.presence.enter();
        Ok(Self {
            room: parts.room,
            participant: parts.participant,
            session: parts.session,
            link: parts.link,
            resource,
            fingerprint: parts.fingerprint,
            timeout: parts.timeout,
            notices: parts.notices,
            presence: parts.presence,
        })
    }

    /// Its room.
    pub fn room(&self) -> &RoomId {
        &self.room.id
    }

    /// Its participant.
    pub fn participant(&self) -> &ParticipantId {
        &self.participant
    }

    /// Its session.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// The door it came through.
    pub fn link(&self) -> LinkKind {
        self.link
    }

    /// Unguessable name of its session resource (WHIP and WHEP URLs): 128 random bits, base32.
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// Answers the client's one offer. Media can flow as soon as the answer is sent.
    ///
    /// # Errors
    ///
    /// When the offer cannot be answered, on a second offer, or when the shard refuses.
    pub async fn negotiate(&self, offer: &str) -> Result<String, DirectoryError> {
        let negotiated = self.read_offer(offer)?;
        let open = OpenSession {
            session: self.session,
            // The room's task knows these two.
            room: self.room.key,
            participant: ParticipantKey(NonZeroU32::MIN),
            remote_ice: negotiated.remote_ice.clone(),
            fingerprints: negotiated.fingerprints.clone(),
            rx: negotiated.rx.clone(),
            tx: negotiated.tx.clone(),
        };
        let mid = negotiated.tagged_mid();
        let local_ice = self
            .call(|reply| RoomCall::Open(Box::new(OpenCall { open, mid, reply })))
            .await?;
        Ok(negotiated.answer(AnswerParams {
            local_ice: &local_ice,
            fingerprint: self.fingerprint,
            candidates: self.room.shard.candidates(),
            session_id: self.session.0,
            session_version: 1,
        }))
    }

    /// Takes an `application/trickle-ice-sdpfrag` body (RFC 8840). Candidates need nothing (we are
    /// ICE-lite); new credentials restart ICE, and the fragment with ours is returned.
    ///
    /// # Errors
    ///
    /// When the fragment cannot be read, or the session is gone.
    pub async fn ice_fragment(&self, fragment: &str) -> Result<Option<String>, DirectoryError> {
        let fragment = IceFragment::parse(fragment).map_err(DirectoryError::Offer)?;
        let Some(remote_ice) = fragment.credentials() else {
            return Ok(None);
        };
        let session = self.session;
        let restarted = self
            .call(|reply| {
                RoomCall::Restart(RestartCall {
                    session,
                    remote_ice,
                    reply,
                })
            })
            .await?;
        Ok(restarted.map(|Restarted { local_ice, mid }| {
            let candidates = self.room.shard.candidates();
            IceFragment::restarted(&local_ice, mid, candidates).to_string()
        }))
    }

    /// Acts in the room as this participant. Applied on the media shard when it returns.
    ///
    /// # Errors
    ///
    /// When the room or the shard refuses.
    pub async fn act(&self, command: Command) -> Result<Applied, DirectoryError> {
        let actor = Actor::Participant(self.participant.clone());
        let session = Some(self.session);
        self.call(|reply| {
            RoomCall::Act(Box::new(ActCall {
                actor,
                session,
                command,
                reply,
            }))
        })
        .await
    }

    /// Sends a data message to everybody else, or to one.
    ///
    /// # Errors
    ///
    /// When data is off, the message is too large, or the sender is over its rate.
    pub async fn send_data(
        &self,
        to: Option<ParticipantId>,
        topic: String,
        payload: String,
    ) -> Result<(), DirectoryError> {
        let session = Some(self.session);
        let message = DataMessage {
            from: None, // The room's task fills in who.
            topic,
            payload,
        };
        self.call(|reply| {
            RoomCall::Data(Box::new(DataCall {
                session,
                to,
                message,
                reply,
            }))
        })
        .await
    }

    /// Turns this client's video slots on or off: audio-only mode.
    ///
    /// # Errors
    ///
    /// When the session is gone.
    pub async fn want_video(&self, wanted: bool) -> Result<(), DirectoryError> {
        let session = self.session;
        self.call(|reply| RoomCall::WantVideo(session, wanted, reply))
            .await
    }

    /// Fixes this client's main picture to somebody; `None` follows the programme again.
    ///
    /// # Errors
    ///
    /// When the session or the participant is unknown.
    pub async fn pin(&self, participant: Option<ParticipantId>) -> Result<(), DirectoryError> {
        let session = self.session;
        self.call(|reply| RoomCall::Pin(session, participant, reply))
            .await
    }

    /// The next notice; `None` after [`ClientNotice::Closed`]. Cancel-safe. One reader.
    pub async fn next_notice(&mut self) -> Option<ClientNotice> {
        if self.notices.has_ended() {
            return None;
        }
        let notice = self.notices.next().await;
        if self.notices.has_ended() {
            self.presence.leave();
        }
        notice
    }

    /// Leaves the room. Done when the media shard has let go of the session, or cannot be reached.
    pub async fn leave(self) {
        let session = self.session;
        drop(self.call(|reply| RoomCall::Leave(session, reply)).await);
    }

    /// Reads an offer and decides it, on the caller's task.
    fn read_offer(&self, offer: &str) -> Result<Negotiated, DirectoryError> {
        let offer = Offer::parse(offer).map_err(DirectoryError::Offer)?;
        let is_interactive = self.link == LinkKind::WebSocket;
        let profile = Profile {
            link: self.link,
            audio_slots: if is_interactive {
                self.room.audio_slots
            } else {
                1 // A plain player plays one sound.
            },
            second: is_interactive,
            thumbnails: if is_interactive { THUMBNAILS_MAX } else { 0 },
            // A listener too: it may be promoted, and does not offer twice.
            may_publish: self.link != LinkKind::Whep,
        };
        // Drawn before they are asked for, since drawing can fail.
        let mut pool: Vec<[u8; 4]> = Vec::new();
        for _ in 0..2 * TX_SECTIONS_MAX {
            pool.push(random::<4>()?);
        }
        let mut ssrcs = || Ssrc(pool.pop().map_or(0, u32::from_be_bytes));
        negotiate(&offer, profile, &mut ssrcs).map_err(DirectoryError::Offer)
    }

    async fn call<T>(&self, make: impl FnOnce(Reply<T>) -> RoomCall) -> Result<T, DirectoryError> {
        let result = self.room.call(self.timeout, make).await;
        result.map_err(|error| match error {
            DirectoryError::UnknownRoom(_) => DirectoryError::UnknownSession,
            error => error,
        })
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // In this order: a join that is still on its way sees the one or the other.
        self.notices.close();
        let reason = CloseReason::ClosedByEndpoint;
        self.room.inbox.push(Fact::ClientGone(self.session, reason));
        if !self.notices.has_ended() {
            self.presence.leave();
        }
    }
}
