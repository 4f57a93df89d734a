//! The service: reads a request, asks the directory, writes the answer.
//!
//! Every call is counted and timed, and has a deadline: its caller's, or the server's.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use estrade_directory::{CreateRoom, Directory};
use estrade_room::Actor;
use estrade_telemetry::{CallOutcome, Metrics};
use estrade_types::{CloseReason, RoomId};
use tokio::time::{Instant, timeout_at};
use tokio_stream::Stream;
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Response, Status};

use crate::check::{Check, InvalidFields};
use crate::proto::room_service_server::RoomService;
use crate::request::{Act, Data, OneParticipant, Page, PageOfRoom};
use crate::status::{refused, timed_out};
use crate::{ApiKeys, proto, request, settings};

mod watch;

/// Deadline of a call whose caller set none. Longer than the directory waits for a shard, so that
/// its own error comes first.
const CALL_DEADLINE: Duration = Duration::from_secs(30);

/// Taken off a caller's deadline, so that our answer is there before its own clock runs out.
const ANSWER_MARGIN: Duration = Duration::from_millis(5);

/// The room service over a directory.
#[derive(Debug)]
pub(crate) struct Rooms {
    directory: Directory,
    keys: ApiKeys,
    metrics: Metrics,
}

impl Rooms {
    pub(crate) fn new(directory: Directory, keys: ApiKeys, metrics: Metrics) -> Self {
        Self {
            directory,
            keys,
            metrics,
        }
    }

    /// Runs one call: lets it in, bounds it in time, counts it.
    async fn call<Q, A, F>(
        &self,
        method: &'static str,
        request: Request<Q>,
        run: impl FnOnce(Q) -> F,
    ) -> Result<Response<A>, Status>
    where
        F: Future<Output = Result<A, Status>>,
    {
        let began = Instant::now();
        let result = match self.keys.check(request.metadata()) {
            Ok(()) => {
                let deadline = caller_deadline(request.metadata(), began);
                let deadline = deadline.unwrap_or(began + CALL_DEADLINE);
                timeout_at(deadline, run(request.into_inner()))
                    .await
                    .unwrap_or_else(|_| Err(timed_out()))
            }
            Err(status) => Err(status),
        };
        let code = result.as_ref().map_or_else(Status::code, |_| Code::Ok);
        let outcome = CallOutcome(code_name(code));
        self.metrics.observe_call(method, outcome, began.elapsed());
        result.map(Response::new)
    }

    /// Runs one call that acts in a room; `answer` takes the room's revision.
    async fn act<Q, A>(
        &self,
        method: &'static str,
        request: Request<Q>,
        answer: impl FnOnce(u64) -> A,
    ) -> Result<Response<A>, Status>
    where
        Act: TryFrom<Q, Error = InvalidFields>,
    {
        self.call(method, request, async |request| {
            let act = Act::try_from(request)?;
            let applied = self.directory.act(&act.room, Actor::App, act.command).await;
            Ok(answer(applied.map_err(|error| refused(&error))?.revision))
        })
        .await
    }

    async fn hands(&self, request: PageOfRoom) -> Result<proto::ListHandsResponse, Status> {
        let after: u64 = match request.page.token.as_deref().map(str::parse) {
            None => 0,
            Some(Ok(order)) => order,
            Some(Err(_)) => {
                let invalid =
                    InvalidFields::one("page_token", "must be one that this call gave out");
                return Err(invalid.into());
            }
        };
        let room = self.directory.room(&request.room).await;
        let hands = room.map_err(|error| refused(&error))?.hands;
        let total_size = u32::try_from(hands.len()).unwrap_or(u32::MAX);
        // Orders only grow, so the last one shown is where the next page begins.
        let mut rest = hands
            .into_iter()
            .filter(|hand| request.page.token.is_none() || hand.order > after)
            .peekable();
        let mut page: Vec<proto::Hand> = Vec::new();
        while page.len() < request.page.size
            && let Some(hand) = rest.next()
        {
            page.push(hand.into());
        }
        let next_page_token = match (rest.peek(), page.last()) {
            (Some(_), Some(last)) => last.order.to_string(),
            _ => String::new(),
        };
        Ok(proto::ListHandsResponse {
            hands: page,
            next_page_token,
            total_size,
        })
    }
}

/// When the caller stops waiting, if it says so.
fn caller_deadline(metadata: &MetadataMap, now: Instant) -> Option<Instant> {
    let timeout = parse_timeout(metadata.get("grpc-timeout")?.to_str().ok()?)?;
    now.checked_add(timeout.saturating_sub(ANSWER_MARGIN))
}

/// Reads a `grpc-timeout`: at most eight digits and a unit. A malformed one is as none.
fn parse_timeout(value: &str) -> Option<Duration> {
    let unit_at = value.len().checked_sub(1)?;
    let (digits, unit) = value.split_at_checked(unit_at)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(amount * 3_600),
        "M" => Duration::from_secs(amount * 60),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return None,
    })
}

const fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// The calls that act in a room: all are [`Rooms::act`] with their own names. Written as
/// `async_trait` would expand them, since it does not see into a macro.
macro_rules! acts {
    ($(fn $call:ident($method:literal, $request:ident) -> $response:ident;)+) => {$(
        fn $call<'service, 'call>(
            &'service self,
            request: Request<proto::$request>,
        ) -> Pin<Box<dyn Future<Output = Result<Response<proto::$response>, Status>> + Send + 'call>>
        where
            'service: 'call,
            Self: 'call,
        {
            Box::pin(self.act($method, request, |revision| proto::$response { revision }))
        }
    )+};
}

#[tonic::async_trait]
impl RoomService for Rooms {
    type WatchStream =
        Pin<Box<dyn Stream<Item = Result<proto::WatchResponse, Status>> + Send + 'static>>;

    async fn create_room(
        &self,
        request: Request<proto::CreateRoomRequest>,
    ) -> Result<Response<proto::Room>, Status> {
        self.call("CreateRoom", request, async |request| {
            let defaults = &self.directory.config().room_defaults;
            let mut check = Check::default();
            let id = if request.room_id.is_empty() {
                None
            } else {
                check.room(&request.room_id)
            };
            let idempotency_key = check.idempotency_key(request.idempotency_key).flatten();
            let wire = request.settings.unwrap_or_default();
            let settings = settings::read(wire, defaults, &mut check);
            if !check.is_clean() {
                return Err(check.invalid().into());
            }
            let create = CreateRoom {
                id,
                settings,
                idempotency_key,
            };
            let room = self.directory.create_room(create).await;
            Ok(room.map_err(|error| refused(&error))?.into())
        })
        .await
    }

    async fn get_room(
        &self,
        request: Request<proto::GetRoomRequest>,
    ) -> Result<Response<proto::Room>, Status> {
        self.call("GetRoom", request, async |request| {
            let room = self.directory.room(&request::room(&request.room_id)?).await;
            Ok(room.map_err(|error| refused(&error))?.into())
        })
        .await
    }

    async fn list_rooms(
        &self,
        request: Request<proto::ListRoomsRequest>,
    ) -> Result<Response<proto::ListRoomsResponse>, Status> {
        self.call("ListRooms", request, async |request| {
            let page = Page::read(request.page_size, request.page_token)?;
            let rooms = self.directory.list_rooms(page.size, page.token.as_deref());
            let rooms = rooms.await.map_err(|error| refused(&error))?;
            Ok(proto::ListRoomsResponse {
                rooms: rooms.rooms.into_iter().map(Into::into).collect(),
                next_page_token: rooms.next_page_token.unwrap_or_default(),
            })
        })
        .await
    }

    async fn end_room(
        &self,
        request: Request<proto::EndRoomRequest>,
    ) -> Result<Response<proto::EndRoomResponse>, Status> {
        self.call("EndRoom", request, async |request| {
            let room: RoomId = request::room(&request.room_id)?;
            let ended = self.directory.end_room(&room, CloseReason::RoomEnded).await;
            Ok(proto::EndRoomResponse {
                revision: ended.map_err(|error| refused(&error))?.revision,
            })
        })
        .await
    }

    async fn list_participants(
        &self,
        request: Request<proto::ListParticipantsRequest>,
    ) -> Result<Response<proto::ListParticipantsResponse>, Status> {
        self.call("ListParticipants", request, async |request| {
            let PageOfRoom { room, filter, page } = request.try_into()?;
            let token = page.token.as_deref();
            let found = self.directory.participants(&room, filter, page.size, token);
            let found = found.await.map_err(|error| refused(&error))?;
            Ok(proto::ListParticipantsResponse {
                participants: found.participants.into_iter().map(Into::into).collect(),
                next_page_token: found.next_page_token.unwrap_or_default(),
                total_size: found.total,
            })
        })
        .await
    }

    async fn get_participant(
        &self,
        request: Request<proto::GetParticipantRequest>,
    ) -> Result<Response<proto::Participant>, Status> {
        self.call("GetParticipant", request, async |request| {
            let OneParticipant { room, participant } = request.try_into()?;
            let found = self.directory.participant(&room, &participant).await;
            Ok(found.map_err(|error| refused(&error))?.into())
        })
        .await
    }

    async fn list_hands(
        &self,
        request: Request<proto::ListHandsRequest>,
    ) -> Result<Response<proto::ListHandsResponse>, Status> {
        self.call("ListHands", request, async |request| {
            self.hands(request.try_into()?).await
        })
        .await
    }

    async fn send_data(
        &self,
        request: Request<proto::SendDataRequest>,
    ) -> Result<Response<proto::SendDataResponse>, Status> {
        self.call("SendData", request, async |request| {
            let Data { room, to, message } = request.try_into()?;
            let sent = self.directory.send_data(&room, to, message).await;
            sent.map_err(|error| refused(&error))?;
            Ok(proto::SendDataResponse {})
        })
        .await
    }

    async fn watch(
        &self,
        request: Request<proto::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let until = caller_deadline(request.metadata(), Instant::now());
        self.call("Watch", request, async |request| {
            let room = request::room(&request.room_id)?;
            let events = self.directory.watch(&room, request.after_number).await;
            let events = events.map_err(|error| refused(&error))?;
            Ok(watch::stream(events, until, self.metrics.clone()))
        })
        .await
    }

    acts! {
        fn promote_participant("PromoteParticipant", PromoteParticipantRequest)
            -> PromoteParticipantResponse;
        fn demote_participant("DemoteParticipant", DemoteParticipantRequest)
            -> DemoteParticipantResponse;
        fn mute_participant("MuteParticipant", MuteParticipantRequest) -> MuteParticipantResponse;
        fn unlock_participant("UnlockParticipant", UnlockParticipantRequest)
            -> UnlockParticipantResponse;
        fn mute_all("MuteAll", MuteAllRequest) -> MuteAllResponse;
        fn request_unmute("RequestUnmute", RequestUnmuteRequest) -> RequestUnmuteResponse;
        fn remove_participant("RemoveParticipant", RemoveParticipantRequest)
            -> RemoveParticipantResponse;
        fn invite_to_stage("InviteToStage", InviteToStageRequest) -> InviteToStageResponse;
        fn cancel_invite("CancelInvite", CancelInviteRequest) -> CancelInviteResponse;
        fn approve_hand("ApproveHand", ApproveHandRequest) -> ApproveHandResponse;
        fn reject_hand("RejectHand", RejectHandRequest) -> RejectHandResponse;
        fn spotlight("Spotlight", SpotlightRequest) -> SpotlightResponse;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_reads_as_the_protocol_writes_it() {
        assert_eq!(parse_timeout("2S"), Some(Duration::from_secs(2)));
        assert_eq!(parse_timeout("250m"), Some(Duration::from_millis(250)));
        assert_eq!(
            parse_timeout("99999999H").map(|d| d.as_secs()),
            Some(359_999_996_400)
        );
        for malformed in ["", "S", "2", "-2S", "123456789S", "2s", "+2S", "2ü"] {
            assert_eq!(parse_timeout(malformed), None, "{malformed}");
        }
    }
}
