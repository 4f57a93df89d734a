//! The WHIP and WHEP session resources: one task each, which holds the client's place in its room.
//!
//! Invariant: a session is in the table exactly while its task runs, and there are never more than
//! the limit; the next one is refused.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use estrade_directory::{Client, ClientNotice};
use estrade_types::{LinkKind, ParticipantId, RoomId};
use http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::error::ApiError;

/// Requests waiting for one session; the next one waits in its connection.
const REQUESTS_MAX: usize = 8;

/// What `If-Match` says. RFC 9110 §13.1.1, RFC 9725 §4.3.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IfMatch {
    /// `*`: whatever there is; an ICE restart.
    Any,
    /// Entity tags, as written; weak ones match nothing.
    Tags(Vec<String>),
}

impl IfMatch {
    /// Reads the header's value.
    pub(crate) fn parse(value: &str) -> Self {
        if value.trim() == "*" {
            return Self::Any;
        }
        Self::Tags(value.split(',').map(|tag| tag.trim().to_owned()).collect())
    }

    fn matches(&self, etag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.iter().any(|tag| tag == etag),
        }
    }
}

/// An ICE restart, as the client is told of it.
#[derive(Debug)]
pub(crate) struct Restarted {
    pub(crate) etag: String,
    pub(crate) fragment: String,
}

enum Request {
    Patch {
        if_match: IfMatch,
        fragment: String,
        reply: oneshot::Sender<Result<Option<Restarted>, ApiError>>,
    },
    Delete {
        reply: oneshot::Sender<()>,
    },
}

/// A session, as requests find it.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) room: RoomId,
    pub(crate) participant: ParticipantId,
    pub(crate) link: LinkKind,
    requests: mpsc::Sender<Request>,
}

impl Session {
    /// Applies a trickle or ICE-restart fragment.
    pub(crate) async fn patch(
        &self,
        if_match: IfMatch,
        fragment: String,
    ) -> Result<Option<Restarted>, ApiError> {
        let (reply, answer) = oneshot::channel();
        let request = Request::Patch {
            if_match,
            fragment,
            reply,
        };
        let sent = self.requests.send(request).await;
        sent.map_err(|_| ApiError::unknown_session())?;
        answer.await.map_err(|_| ApiError::unknown_session())?
    }

    /// Ends the session.
    pub(crate) async fn delete(&self) -> Result<(), ApiError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.requests.send(Request::Delete { reply }).await;
        sent.map_err(|_| ApiError::unknown_session())?;
        answer.await.map_err(|_| ApiError::unknown_session())
    }
}

type Table = Arc<Mutex<HashMap<String, Session>>>;

/// Every WHIP and WHEP session of this node, by the name of its resource.
#[derive(Debug)]
pub(crate) struct Sessions {
    table: Table,
    free: Arc<Semaphore>,
}

impl Sessions {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            table: Table::default(),
            free: Arc::new(Semaphore::new(max.min(Semaphore::MAX_PERMITS))),
        }
    }

    /// Takes a place, before anything is done for the client.
    pub(crate) fn reserve(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let permit = Arc::clone(&self.free).try_acquire_owned();
        permit.map_err(|_| ApiError::busy())
    }

    /// The session of this name.
    pub(crate) fn find(&self, resource: &str) -> Option<Session> {
        lock(&self.table).get(resource).cloned()
    }

    /// Keeps a negotiated client in `place` until it leaves; gives its first entity tag.
    pub(crate) fn keep(&self, client: Client, place: OwnedSemaphorePermit) -> String {
        let (requests, inbox) = mpsc::channel(REQUESTS_MAX);
        let session = Session {
            room: client.room().clone(),
            participant: client.participant().clone(),
            link: client.link(),
            requests,
        };
        lock(&self.table).insert(client.resource().to_owned(), session);
        tokio::spawn(run(client, inbox, Arc::clone(&self.table), place));
        etag(1)
    }
}

fn lock(table: &Mutex<HashMap<String, Session>>) -> MutexGuard<'_, HashMap<String, Session>> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Names an ICE generation of one session.
fn etag(generation: u64) -> String {
    format!("\"{generation}\"")
}

/// One session's life.
async fn run(
    mut client: Client,
    mut inbox: mpsc::Receiver<Request>,
    table: Table,
    place: OwnedSemaphorePermit,
) {
    let resource = client.resource().to_owned();
    let mut generation = 1;
    let delete = loop {
        tokio::select! {
            notice = client.next_notice() => match notice {
                None | Some(ClientNotice::Closed(_)) => break None,
                // A WHIP or WHEP client has no ear for any other.
                Some(_) => {}
            },
            request = inbox.recv() => match request {
                Some(Request::Patch { if_match, fragment, reply }) => {
                    let outcome = patch(&client, &mut generation, &if_match, &fragment).await;
                    let _is_heard = reply.send(outcome).is_ok();
                }
                Some(Request::Delete { reply }) => break Some(reply),
                None => break None,
            },
        }
    };
    lock(&table).remove(&resource);
    if let Some(reply) = delete {
        client.leave().await;
        let _is_heard = reply.send(()).is_ok();
    }
    drop(place);
}

/// RFC 9725 §4.3.
async fn patch(
    client: &Client,
    generation: &mut u64,
    if_match: &IfMatch,
    fragment: &str,
) -> Result<Option<Restarted>, ApiError> {
    if !if_match.matches(&etag(*generation)) {
        // spec: RFC 9725 §4.3.1 entity-tag-must-match
        return Err(ApiError::new(
            StatusCode::PRECONDITION_FAILED,
            "precondition_failed",
            "If-Match names an ICE session that is over. Send the latest ETag, or * to restart.",
        ));
    }
    let Some(fragment) = client.ice_fragment(fragment).await? else {
        return Ok(None);
    };
    *generation += 1;
    Ok(Some(Restarted {
        etag: etag(*generation),
        fragment,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strong_tags_match_and_weak_ones_do_not() {
        assert!(IfMatch::parse(" * ").matches("\"1\""));
        assert!(IfMatch::parse("\"0\", \"1\"").matches("\"1\""));
        assert!(!IfMatch::parse("\"2\"").matches("\"1\""));
        assert!(!IfMatch::parse("W/\"1\"").matches("\"1\""));
    }
}
