//! A server on ports of the system's choice, with an authenticated gRPC client and real clients.

use std::collections::BTreeMap;
use std::time::Duration;

use estrade_control::proto;
use estrade_control::proto::room_service_client::RoomServiceClient;
use estrade_directory::Client;
use estrade_server::{Config, DEV_KEY, DEV_SECRET, Server};
use estrade_types::{Admission, LinkKind, ParticipantId, Role, RoomId};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::metadata::MetadataValue;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt as _;

/// Puts the API key into every call.
#[derive(Clone)]
pub(crate) struct WithKey(String);

impl tonic::service::Interceptor for WithKey {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let key = MetadataValue::try_from(&self.0).unwrap();
        request.metadata_mut().insert("x-api-key", key);
        Ok(request)
    }
}

/// A client with an API key.
pub(crate) type Rpc = RoomServiceClient<InterceptedService<Channel, WithKey>>;

/// A running server.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) rpc: Rpc,
}

/// A development config on any ports, with one shard.
pub(crate) fn config() -> Config {
    let mut config = Config::dev().on_any_ports();
    config.media.shards = 1;
    config
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(config()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        let server = Server::start(config).await.unwrap();
        let channel = channel(&server).await;
        let rpc = with_key(channel, format!("{DEV_KEY}:{DEV_SECRET}"));
        Self { server, rpc }
    }

    /// Creates a room.
    pub(crate) async fn room(&mut self, room_id: &str) -> proto::Room {
        let request = proto::CreateRoomRequest {
            room_id: room_id.into(),
            ..Default::default()
        };
        self.rpc.create_room(request).await.unwrap().into_inner()
    }

    /// The room as it stands.
    pub(crate) async fn read(&mut self, room_id: &str) -> proto::Room {
        let request = proto::GetRoomRequest {
            room_id: room_id.into(),
        };
        self.rpc.get_room(request).await.unwrap().into_inner()
    }

    /// One participant as it stands.
    pub(crate) async fn participant(&mut self, room_id: &str, id: &str) -> proto::Participant {
        let request = proto::GetParticipantRequest {
            room_id: room_id.into(),
            participant_id: id.into(),
        };
        self.rpc
            .get_participant(request)
            .await
            .unwrap()
            .into_inner()
    }

    /// Lets somebody in, as the client edge does once it has verified a token.
    pub(crate) async fn join(&self, room_id: &str, identity: &str, role: Role) -> Client {
        let admission = Admission {
            room: RoomId::new(room_id).unwrap(),
            identity: ParticipantId::new(identity).unwrap(),
            role,
            name: identity.to_uppercase(),
            attributes: BTreeMap::new(),
            issued_at_s: None,
        };
        let directory = self.server.directory();
        directory
            .join(admission, LinkKind::WebSocket)
            .await
            .unwrap()
    }

    pub(crate) async fn stop(self) {
        // Clients that a test holds and does not read are not waited for longer.
        self.server.stop(Duration::from_millis(500)).await;
    }
}

pub(crate) async fn channel(server: &Server) -> Channel {
    let url = format!("http://{}", server.grpc_addr());
    Channel::from_shared(url).unwrap().connect().await.unwrap()
}

pub(crate) fn with_key(channel: Channel, key: String) -> Rpc {
    RoomServiceClient::with_interceptor(channel, WithKey(key))
}

/// The code, the reason and the failing fields of a refused call.
pub(crate) fn refusal<T>(result: Result<Response<T>, Status>) -> (Code, String, Vec<String>) {
    let Err(status) = result else {
        panic!("the call was not refused");
    };
    let info = status.get_details_error_info();
    let (domain, reason) = info.map_or_else(Default::default, |info| (info.domain, info.reason));
    assert_eq!(domain, "estrade.v1", "{status:?}");
    let violations = status.get_details_bad_request();
    let violations = violations.map_or_else(Vec::new, |bad| bad.field_violations);
    let fields = violations.into_iter().map(|violation| violation.field);
    (status.code(), reason, fields.collect())
}

/// Asserts that a call failed for these fields.
#[track_caller]
pub(crate) fn assert_invalid<T>(result: Result<Response<T>, Status>, fields: &[&str]) {
    let (code, reason, failing) = refusal(result);
    assert_eq!(
        (code, reason.as_str()),
        (Code::InvalidArgument, "INVALID_FIELD")
    );
    assert_eq!(failing, fields);
}

/// Asserts that a call failed for this reason.
#[track_caller]
pub(crate) fn assert_refused<T>(result: Result<Response<T>, Status>, code: Code, reason: &str) {
    let refused = refusal(result);
    assert_eq!((refused.0, refused.1.as_str()), (code, reason));
}

/// Asks the admin port, and gives the status line's code and the body.
pub(crate) async fn probe(server: &Server, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(server.admin_addr()).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let code = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    (code, body.to_owned())
}
