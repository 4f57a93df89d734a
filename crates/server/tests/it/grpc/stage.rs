//! The stage: promotions, hands, invitations, mutes, removals, spotlights, data.

use estrade_control::proto;
use estrade_directory::{Client, ClientNotice};
use estrade_room::Command;
use estrade_types::{CloseReason, Role};
use tonic::Code;

use crate::world::{World, assert_refused};

/// A room with a host and a listener.
async fn hall() -> (World, Client, Client) {
    let mut world = World::start().await;
    world.room("hall").await;
    let ana = world.join("hall", "ana", Role::Host).await;
    let ben = world.join("hall", "ben", Role::Listener).await;
    (world, ana, ben)
}

/// Builds a request about one participant of the hall.
macro_rules! about {
    ($request:ident, $who:expr $(, $field:ident: $value:expr)*) => {
        proto::$request {
            room_id: "hall".into(),
            participant_id: $who.into(),
            $($field: $value,)*
        }
    };
}

#[tokio::test]
async fn a_promotion_puts_on_stage_muted_and_a_demotion_takes_everything_away() {
    let (mut world, _ana, _ben) = hall().await;
    let promote = about!(PromoteParticipantRequest, "ben", role: 0);
    let promoted = world.rpc.promote_participant(promote).await.unwrap();
    let ben = world.participant("hall", "ben").await;
    assert_eq!(ben.role(), proto::Role::Speaker);
    assert_eq!(ben.stage_state(), proto::participant::StageState::OnStage);
    // Nobody asked ben: nothing of him is heard or seen until he says so himself.
    assert_eq!(ben.permitted_sources, Vec::<i32>::new());
    assert!(world.read("hall").await.revision >= promoted.into_inner().revision);

    let demote = about!(DemoteParticipantRequest, "ben");
    world.rpc.demote_participant(demote.clone()).await.unwrap();
    let ben = world.participant("hall", "ben").await;
    assert_eq!(ben.role(), proto::Role::Listener);
    assert_eq!(ben.stage_state(), proto::participant::StageState::Audience);
    let again = world.rpc.demote_participant(demote).await;
    assert_refused(again, Code::FailedPrecondition, "WRONG_STATE");
    world.stop().await;
}

#[tokio::test]
async fn a_full_stage_is_said_to_be_full() {
    let mut world = World::start().await;
    let create = proto::CreateRoomRequest {
        room_id: "hall".into(),
        settings: Some(proto::RoomSettings {
            max_stage: Some(1),
            ..Default::default()
        }),
        ..Default::default()
    };
    world.rpc.create_room(create).await.unwrap();
    let _ana = world.join("hall", "ana", Role::Host).await;
    let ben = world.join("hall", "ben", Role::Listener).await;
    ben.act(Command::RaiseHand).await.unwrap();
    let before = world.read("hall").await;
    let approve = about!(ApproveHandRequest, "ben");
    let refused = world.rpc.approve_hand(approve).await;
    assert_refused(refused, Code::FailedPrecondition, "STAGE_FULL");
    let promote = about!(PromoteParticipantRequest, "ben", role: 0);
    let refused = world.rpc.promote_participant(promote).await;
    assert_refused(refused, Code::FailedPrecondition, "STAGE_FULL");
    assert_eq!(world.read("hall").await, before);
    world.stop().await;
}

#[tokio::test]
async fn hands_are_listed_in_order_and_approved_or_rejected() {
    let (mut world, _ana, ben) = hall().await;
    let cam = world.join("hall", "cam", Role::Listener).await;
    cam.act(Command::RaiseHand).await.unwrap();
    ben.act(Command::RaiseHand).await.unwrap();
    let mut page_token = String::new();
    let mut raised = Vec::new();
    for _ in 0..2 {
        let list = proto::ListHandsRequest {
            room_id: "hall".into(),
            page_size: 1,
            page_token,
        };
        let page = world.rpc.list_hands(list).await.unwrap().into_inner();
        assert_eq!(page.total_size, 2);
        raised.extend(page.hands.into_iter().map(|hand| hand.participant_id));
        page_token = page.next_page_token;
    }
    assert_eq!(
        (raised, page_token.as_str()),
        (vec!["cam".into(), "ben".into()], "")
    );

    let approve = about!(ApproveHandRequest, "ben");
    world.rpc.approve_hand(approve).await.unwrap();
    let seated = world.participant("hall", "ben").await;
    assert_eq!(
        seated.stage_state(),
        proto::participant::StageState::OnStage
    );
    assert!(
        seated
            .permitted_sources
            .contains(&proto::Source::Microphone.into())
    );
    let reject = about!(RejectHandRequest, "cam");
    world.rpc.reject_hand(reject.clone()).await.unwrap();
    let again = world.rpc.reject_hand(reject).await;
    assert_refused(again, Code::FailedPrecondition, "WRONG_STATE");
    assert_eq!(world.read("hall").await.hand_count, 0);
    world.stop().await;
}

#[tokio::test]
async fn an_invitation_stands_until_it_is_taken_or_taken_back() {
    let (mut world, _ana, ben) = hall().await;
    let invite = about!(InviteToStageRequest, "ben");
    let cancel = about!(CancelInviteRequest, "ben");
    world.rpc.invite_to_stage(invite.clone()).await.unwrap();
    world.rpc.cancel_invite(cancel.clone()).await.unwrap();
    let again = world.rpc.cancel_invite(cancel).await;
    assert_refused(again, Code::FailedPrecondition, "WRONG_STATE");
    world.rpc.invite_to_stage(invite.clone()).await.unwrap();
    ben.act(Command::AcceptInvite).await.unwrap();
    let seated = world.participant("hall", "ben").await;
    assert_eq!(
        seated.stage_state(),
        proto::participant::StageState::OnStage
    );
    let on_stage = world.rpc.invite_to_stage(invite).await;
    assert_refused(on_stage, Code::FailedPrecondition, "WRONG_STATE");
    world.stop().await;
}

#[tokio::test]
async fn a_locked_mute_holds_until_it_is_unlocked_and_its_owner_wants_it() {
    let (mut world, ana, ben) = hall().await;
    let audio = proto::MuteKind::Audio.into();
    let mute = about!(MuteParticipantRequest, "ana", kind: audio, lock: true);
    world.rpc.mute_participant(mute).await.unwrap();
    let muted = world.participant("hall", "ana").await;
    let microphone = proto::Source::Microphone.into();
    assert!(!muted.permitted_sources.contains(&microphone));
    let mutes = muted.audio.unwrap();
    assert!(mutes.server_muted && mutes.locked);
    let unmute = Command::SelfMute {
        kind: estrade_room::MuteKind::Audio,
        muted: false,
    };
    assert!(ana.act(unmute.clone()).await.is_err());

    let unlock = about!(UnlockParticipantRequest, "ana", kind: audio);
    world.rpc.unlock_participant(unlock).await.unwrap();
    let unlocked = world.participant("hall", "ana").await;
    assert!(!unlocked.permitted_sources.contains(&microphone));
    ana.act(unmute).await.unwrap();
    let heard = world.participant("hall", "ana").await;
    assert!(heard.permitted_sources.contains(&microphone));

    let listener = about!(MuteParticipantRequest, "ben", kind: audio, lock: false);
    let refused = world.rpc.mute_participant(listener).await;
    assert_refused(refused, Code::FailedPrecondition, "WRONG_STATE");
    drop(ben);
    world.stop().await;
}

#[tokio::test]
async fn mute_all_leaves_the_excepted_roles_alone() {
    let (mut world, _ana, _ben) = hall().await;
    let _cam = world.join("hall", "cam", Role::Speaker).await;
    let request = proto::MuteAllRequest {
        room_id: "hall".into(),
        except_roles: vec![proto::Role::Host.into()],
        lock: false,
    };
    world.rpc.mute_all(request).await.unwrap();
    let ana = world.participant("hall", "ana").await;
    assert!(!ana.audio.unwrap().server_muted);
    let cam = world.participant("hall", "cam").await;
    assert!(cam.audio.unwrap().server_muted);
    world.stop().await;
}

#[tokio::test]
async fn an_unmute_is_asked_for_never_done_and_not_too_often() {
    let (mut world, _ana, _ben) = hall().await;
    let ask = about!(RequestUnmuteRequest, "ana");
    let heard = world.rpc.request_unmute(ask.clone()).await;
    assert_refused(heard, Code::FailedPrecondition, "WRONG_STATE");
    let audio = proto::MuteKind::Audio.into();
    let mute = about!(MuteParticipantRequest, "ana", kind: audio, lock: false);
    world.rpc.mute_participant(mute).await.unwrap();
    world.rpc.request_unmute(ask.clone()).await.unwrap();
    let ana = world.participant("hall", "ana").await;
    assert!(ana.audio.unwrap().server_muted);
    let hasty = world.rpc.request_unmute(ask).await;
    assert_refused(hasty, Code::ResourceExhausted, "TOO_SOON");
    world.stop().await;
}

#[tokio::test]
async fn a_removed_participant_is_told_and_gone() {
    let (mut world, _ana, mut ben) = hall().await;
    let remove = about!(RemoveParticipantRequest, "ben");
    world.rpc.remove_participant(remove.clone()).await.unwrap();
    let again = world.rpc.remove_participant(remove).await;
    assert_refused(again, Code::NotFound, "PARTICIPANT_NOT_FOUND");
    let mut last = None;
    while let Some(notice) = ben.next_notice().await {
        last = Some(notice);
    }
    assert_eq!(last, Some(ClientNotice::Closed(CloseReason::Removed)));
    world.stop().await;
}

#[tokio::test]
async fn a_spotlight_is_set_and_cleared() {
    let (mut world, _ana, _ben) = hall().await;
    let spotlight = |ids: &[&str]| proto::SpotlightRequest {
        room_id: "hall".into(),
        participant_ids: ids.iter().map(|&id| id.into()).collect(),
    };
    world.rpc.spotlight(spotlight(&["ana"])).await.unwrap();
    assert_eq!(world.read("hall").await.spotlight_ids, ["ana"]);
    let unknown = world.rpc.spotlight(spotlight(&["zoe"])).await;
    assert_refused(unknown, Code::NotFound, "PARTICIPANT_NOT_FOUND");
    let listener = world.rpc.spotlight(spotlight(&["ben"])).await;
    assert_refused(listener, Code::FailedPrecondition, "WRONG_STATE");
    assert_eq!(world.read("hall").await.spotlight_ids, ["ana"]);
    world.rpc.spotlight(spotlight(&[])).await.unwrap();
    assert!(world.read("hall").await.spotlight_ids.is_empty());
    world.stop().await;
}

#[tokio::test]
async fn data_reaches_whom_it_is_for() {
    let (mut world, _ana, mut ben) = hall().await;
    let data = about!(
        SendDataRequest, "ben",
        topic: "pin".to_owned(), payload: "hello".to_owned()
    );
    world.rpc.send_data(data).await.unwrap();
    let message = loop {
        if let ClientNotice::Data(message) = ben.next_notice().await.unwrap() {
            break message;
        }
    };
    assert_eq!(
        (message.topic.as_str(), message.payload.as_str()),
        ("pin", "hello")
    );
    assert_eq!(message.from, None);
    let nobody = about!(
        SendDataRequest, "zoe",
        topic: "pin".to_owned(), payload: String::new()
    );
    let nobody = world.rpc.send_data(nobody).await;
    assert_refused(nobody, Code::NotFound, "PARTICIPANT_NOT_FOUND");
    world.stop().await;
}
