//! One client's connection, from `welcome` to `closed`.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use estrade_directory::{Client, ClientNotice, DirectoryError};
use estrade_types::{CloseReason, Permits, Role};
use http::StatusCode;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::rate::{MessageRate, Verdict};
use crate::error::ApiError;
use crate::message::{Act, ClientMessage, RoomJson, ServerMessage};
use crate::router::Edge;

/// How long one message may take to be taken by the network; a client slower than that is cut off.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the room may take to tell its state.
const WELCOME_TIMEOUT: Duration = Duration::from_secs(10);

/// Participants on one page.
const PAGE_SIZE: usize = 100;

/// Silence for this many ping intervals is a lost connection.
const SILENT_INTERVALS_MAX: u32 = 2;

/// Why a connection ends. What is not `Left` is a lost connection to the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The client left the room.
    Left,
    /// The room told us that the session is over.
    Told,
    /// The network, or the client, is gone.
    Lost,
    /// The client broke the protocol.
    Refused(u16, &'static str),
}

/// Serves the connection until it ends.
pub(super) async fn run(edge: &Edge, socket: WebSocket, mut client: Client, role: Role) {
    let mut connection = Connection {
        edge,
        socket,
        began: Instant::now(),
        rate: MessageRate::new(edge.config.messages_per_s, edge.config.messages_burst),
    };
    let end = match connection.welcome(&mut client, role).await {
        Ok(()) => connection.serve(&mut client).await,
        Err(end) => end,
    };
    tracing::debug!(session = client.session().0, ?end, "websocket ended");
    if end == End::Left {
        client.leave().await;
        let reason = CloseReason::Left.as_str();
        let _end = connection.send(&ServerMessage::Closed { reason }).await;
    }
    let (code, reason) = match end {
        End::Left | End::Told => (close_code::NORMAL, ""),
        End::Lost => (close_code::AWAY, ""),
        End::Refused(code, reason) => (code, reason),
    };
    let close = Message::Close(Some(CloseFrame {
        code,
        reason: reason.into(),
    }));
    // The client may be gone: then nobody is there to be told.
    let _is_told = timeout(SEND_TIMEOUT, connection.socket.send(close))
        .await
        .is_ok();
}

struct Connection<'a> {
    edge: &'a Edge,
    socket: WebSocket,
    began: Instant,
    rate: MessageRate,
}

impl Connection<'_> {
    /// Says `welcome` with the room's first state.
    async fn welcome(&mut self, client: &mut Client, role: Role) -> Result<(), End> {
        let view = loop {
            match timeout(WELCOME_TIMEOUT, client.next_notice()).await {
                Ok(Some(ClientNotice::Snapshot(view))) => break view,
                Ok(Some(notice)) => self.tell(notice).await?,
                Ok(None) | Err(_) => return Err(End::Lost),
            }
        };
        // Moderation may have changed what the token said.
        let present = self
            .edge
            .directory
            .participant(client.room(), client.participant())
            .await;
        let (role, permits) = match present {
            Ok(view) => (view.role, view.permits),
            Err(_) => (role, Permits::NONE),
        };
        self.send(&ServerMessage::Welcome {
            room: client.room().to_string(),
            participant: client.participant().to_string(),
            session: client.session().0.to_string(),
            role: role.as_str(),
            protocol: crate::message::PROTOCOL,
            state: Box::new(RoomJson::from(&*view)),
            permits: permits.into(),
        })
        .await
    }

    async fn serve(&mut self, client: &mut Client) -> End {
        let mut ping = interval(self.edge.config.ping_interval);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut silent_intervals = 0;
        loop {
            let step = tokio::select! {
                notice = client.next_notice() => match notice {
                    Some(notice) => self.tell(notice).await,
                    None => Err(End::Lost),
                },
                message = self.socket.recv() => {
                    silent_intervals = 0;
                    match message {
                        Some(Ok(message)) => self.on_message(client, message).await,
                        Some(Err(_)) | None => Err(End::Lost),
                    }
                }
                _ = ping.tick() => {
                    silent_intervals += 1;
                    if silent_intervals > SILENT_INTERVALS_MAX {
                        Err(End::Lost)
                    } else {
                        self.write(Message::Ping(Bytes::new())).await
                    }
                }
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    /// Passes a notice on; the last one ends the connection.
    async fn tell(&mut self, notice: ClientNotice) -> Result<(), End> {
        let is_last = matches!(notice, ClientNotice::Closed(_));
        if let Some(message) = ServerMessage::notice(notice) {
            self.send(&message).await?;
        }
        if is_last { Err(End::Told) } else { Ok(()) }
    }

    async fn on_message(&mut self, client: &Client, message: Message) -> Result<(), End> {
        // Control frames count too: a flood of pings is a flood.
        let verdict = self.rate.on_message(self.began.elapsed());
        if verdict == Verdict::Close {
            return Err(End::Refused(close_code::POLICY, "too many messages"));
        }
        let text = match message {
            Message::Text(text) => text,
            Message::Binary(_) => {
                return Err(End::Refused(close_code::UNSUPPORTED, "text messages only"));
            }
            // Answered by the WebSocket layer itself.
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
            Message::Close(_) => return Err(End::Lost),
        };
        let ClientMessage { id, act } = match ClientMessage::parse(&text) {
            Ok(message) => message,
            Err(invalid) => return self.send(&invalid.into()).await,
        };
        if verdict == Verdict::Refuse {
            let error = ApiError::new(
                StatusCode::TOO_MANY_REQUESTS,
                "rate_limited",
                "Too many messages. Send fewer, and send this one again later.",
            );
            return self.send(&ServerMessage::refusal(id, error)).await;
        }
        if act == Act::Leave {
            if let Some(id) = id {
                self.send(&ServerMessage::Ok { id, revision: None }).await?;
            }
            return Err(End::Left);
        }
        match perform(self.edge, client, id, act).await {
            Ok(Some(reply)) => self.send(&reply).await,
            Ok(None) => Ok(()),
            Err(error) => {
                let refusal = ServerMessage::refusal(id, ApiError::from(error));
                self.send(&refusal).await
            }
        }
    }

    async fn send(&mut self, message: &ServerMessage) -> Result<(), End> {
        self.write(Message::Text(message.to_json().into())).await
    }

    /// Writes one message. A client that does not take it in time is lost.
    async fn write(&mut self, message: Message) -> Result<(), End> {
        match timeout(SEND_TIMEOUT, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Lost),
        }
    }
}

/// Does what was asked; `None` when it was done and nobody waits to hear it.
async fn perform(
    edge: &Edge,
    client: &Client,
    id: Option<u64>,
    act: Act,
) -> Result<Option<ServerMessage>, DirectoryError> {
    let mut revision = None;
    match act {
        Act::Offer { sdp } => {
            let sdp = client.negotiate(&sdp).await?;
            return Ok(Some(ServerMessage::Answer { id, sdp }));
        }
        Act::IceRestart { fragment } => {
            return Ok(Some(match client.ice_fragment(&fragment).await? {
                Some(fragment) => ServerMessage::IceRestarted { id, fragment },
                None => ServerMessage::Error {
                    id,
                    code: "invalid_field",
                    message: "fragment: must have new ICE credentials.".to_owned(),
                    retry_after_ms: None,
                },
            }));
        }
        Act::List { filter, page_token } => {
            let page = edge
                .directory
                .participants(client.room(), filter, PAGE_SIZE, page_token.as_deref())
                .await?;
            return Ok(Some(ServerMessage::participants(id, &page)));
        }
        Act::Ping => return Ok(Some(ServerMessage::Pong { id })),
        Act::Room(command) => revision = Some(client.act(command).await?.revision),
        Act::Video { wanted } => client.want_video(wanted).await?,
        Act::Pin { participant } => client.pin(participant).await?,
        Act::Data { to, topic, payload } => client.send_data(to, topic, payload).await?,
        Act::Leave => {}
    }
    Ok(id.map(|id| ServerMessage::Ok { id, revision }))
}
