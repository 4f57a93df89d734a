//! One client's place in a room: what the WebSocket, WHIP and WHEP hold.

use estrade_room::{Applied, Command, Event, RoomView};
use estrade_types::{
    CloseReason, LinkKind, ParticipantId, Permits, RoomId, SessionId, SlotId, SourceKind,
};

use crate::DirectoryError;

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
#[derive(Debug)]
pub struct Client {
    room: RoomId,
    participant: ParticipantId,
    session: SessionId,
    link: LinkKind,
    resource: String,
}

impl Client {
    /// Its room.
    pub fn room(&self) -> &RoomId {
        &self.room
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
        let _ = offer;
        Err(DirectoryError::UnknownSession)
    }

    /// Takes an `application/trickle-ice-sdpfrag` body (RFC 8840). Candidates need nothing (we are
    /// ICE-lite); new credentials restart ICE, and the fragment with ours is returned.
    ///
    /// # Errors
    ///
    /// When the fragment cannot be read, or the session is gone.
    pub async fn ice_fragment(&self, fragment: &str) -> Result<Option<String>, DirectoryError> {
        let _ = fragment;
        Err(DirectoryError::UnknownSession)
    }

    /// Acts in the room as this participant. Applied on the media shard when it returns.
    ///
    /// # Errors
    ///
    /// When the room or the shard refuses.
    pub async fn act(&self, command: Command) -> Result<Applied, DirectoryError> {
        let _ = command;
        Err(DirectoryError::UnknownSession)
    }

    /// Sends a data message to everybody, or to one.
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
        let _ = (to, topic, payload);
        Err(DirectoryError::UnknownSession)
    }

    /// Turns this client's video slots on or off: audio-only mode.
    ///
    /// # Errors
    ///
    /// When the session is gone.
    pub async fn want_video(&self, wanted: bool) -> Result<(), DirectoryError> {
        let _ = wanted;
        Err(DirectoryError::UnknownSession)
    }

    /// Fixes this client's main picture to somebody; `None` follows the programme again.
    ///
    /// # Errors
    ///
    /// When the session or the participant is unknown.
    pub async fn pin(&self, participant: Option<ParticipantId>) -> Result<(), DirectoryError> {
        let _ = participant;
        Err(DirectoryError::UnknownSession)
    }

    /// The next notice; `None` after [`ClientNotice::Closed`]. Cancel-safe. One reader.
    pub async fn next_notice(&mut self) -> Option<ClientNotice> {
        None
    }

    /// Leaves the room.
    pub async fn leave(self) {}
}
